//! The header of a safetensors file, parsed by `const fn`s.
//!
//! A file consists of the length of its header (8 bytes, little-endian), the header, and the numbers. The header is a
//! JSON object:
//!
//! ```text
//! {"__metadata__":{"format":"monomorph","version":"1"},
//!  "conv1.weight":{"dtype":"F32","shape":[5,5,1,6],"data_offsets":[0,600]}, …}
//! ```

use super::{FORMAT, METADATA, VERSION};

/// The maximum number of axes of a tensor.
const AXES: usize = 8;

const DAMAGED: &str = "it is no safetensors file, or a damaged one";

/// A tensor of the file.
pub(super) struct Listed<'a> {
    pub(super) name: &'a [u8],
    pub(super) dtype: &'a [u8],
    axes: [usize; AXES],
    rank: usize,
    /// The range of its numbers, counted from the first byte after the header.
    pub(super) bytes: (usize, usize),
}

impl Listed<'_> {
    pub(super) const fn shape(&self) -> &[usize] {
        self.axes.split_at(self.rank).0
    }
}

/// The rest of the header.
pub(super) struct Header<'a> {
    json: &'a [u8],
    at: usize,
    started: bool,
}

impl<'a> Header<'a> {
    /// The header, and the numbers after it.
    pub(super) const fn new(file: &'a [u8]) -> Result<(Self, &'a [u8]), &'static str> {
        let Some((len, rest)) = file.split_first_chunk() else { return Err(DAMAGED) };
        let len = u64::from_le_bytes(*len);
        // No header is that long, so it is a text file or an image.
        if len > 100 << 20 {
            return Err(DAMAGED);
        }
        let Some((json, data)) = rest.split_at_checked(len as usize) else {
            return Err("the file is cut short in its header; copy or save it again");
        };
        let mut header = Self { json, at: 0, started: false };
        if header.take(b'{') { Ok((header, data)) } else { Err(DAMAGED) }
    }

    /// The next tensor.
    pub(super) const fn next(&mut self) -> Result<Option<Listed<'a>>, &'static str> {
        loop {
            let more = if self.started { self.take(b',') } else { !self.is(b'}') };
            self.started = true;
            if !more {
                return if self.take(b'}') && self.peek().is_none() { Ok(None) } else { Err(DAMAGED) };
            }
            let Some(name) = self.key() else { return Err(DAMAGED) };
            if !same(name, METADATA.as_bytes()) {
                return match self.tensor(name) {
                    Ok(tensor) => Ok(Some(tensor)),
                    Err(problem) => Err(problem),
                };
            }
            match self.metadata() {
                Ok(()) => {}
                Err(problem) => return Err(problem),
            }
        }
    }

    /// The object of a tensor, whose fields may be in any order.
    const fn tensor(&mut self, name: &'a [u8]) -> Result<Listed<'a>, &'static str> {
        if contains(name, b'\\') {
            return Err("a tensor's name has an escape sequence (`\\`); give it a plain name");
        }
        let (mut dtype, mut shape, mut bytes) = (None, None, None);
        let mut more = self.take(b'{');
        while more {
            let Some(field) = self.key() else { return Err(DAMAGED) };
            if same(field, b"dtype") {
                dtype = self.string();
            } else if same(field, b"shape") {
                shape = self.numbers();
            } else if same(field, b"data_offsets") {
                bytes = self.numbers();
            } else {
                return Err(DAMAGED);
            }
            more = self.take(b',');
        }
        match (self.take(b'}'), dtype, shape, bytes) {
            (true, Some(dtype), Some((axes, rank)), Some((bytes, 2))) => {
                if rank > AXES {
                    return Err("a tensor has more than 8 axes");
                }
                Ok(Listed { name, dtype, axes, rank, bytes: (bytes[0], bytes[1]) })
            }
            _ => Err(DAMAGED),
        }
    }

    /// The object of metadata: strings by name.
    const fn metadata(&mut self) -> Result<(), &'static str> {
        let (mut ours, mut newer) = (false, false);
        let mut more = self.take(b'{') && !self.is(b'}');
        while more {
            let Some(key) = self.key() else { return Err(DAMAGED) };
            let Some(value) = self.string() else { return Err(DAMAGED) };
            ours |= same(key, b"format") && same(value, FORMAT.as_bytes());
            newer |= same(key, b"version") && !same(value, VERSION.as_bytes());
            more = self.take(b',');
        }
        if !self.take(b'}') {
            return Err(DAMAGED);
        }
        if ours && newer {
            return Err("the file was written by a newer version of monomorph; use that one here, too");
        }
        Ok(())
    }

    /// The next byte that is not white space, if there is one.
    const fn peek(&mut self) -> Option<u8> {
        while self.at < self.json.len() {
            match self.json[self.at] {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                byte => return Some(byte),
            }
        }
        None
    }

    /// Consumes one byte, if it is the next.
    const fn take(&mut self, byte: u8) -> bool {
        let is = self.is(byte);
        self.at += is as usize;
        is
    }

    const fn is(&mut self, byte: u8) -> bool {
        matches!(self.peek(), Some(next) if next == byte)
    }

    /// A string with its colon.
    const fn key(&mut self) -> Option<&'a [u8]> {
        match self.string() {
            Some(key) if self.take(b':') => Some(key),
            _ => None,
        }
    }

    /// A string as it is between its quotation marks, including escape sequences.
    const fn string(&mut self) -> Option<&'a [u8]> {
        if !self.take(b'"') {
            return None;
        }
        let from = self.at;
        while self.at < self.json.len() {
            match self.json[self.at] {
                b'"' => {
                    let string = self.json.split_at(self.at).0.split_at(from).1;
                    self.at += 1;
                    return Some(string);
                }
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        None
    }

    /// A list of integers, and how many there are; those beyond `AXES` are only counted.
    const fn numbers(&mut self) -> Option<([usize; AXES], usize)> {
        let (mut numbers, mut count) = ([0; AXES], 0);
        let mut more = self.take(b'[') && !self.is(b']');
        while more {
            let Some(number) = self.number() else { return None };
            if count < AXES {
                numbers[count] = number;
            }
            count += 1;
            more = self.take(b',');
        }
        if self.take(b']') { Some((numbers, count)) } else { None }
    }

    const fn number(&mut self) -> Option<usize> {
        let (mut number, mut digits): (usize, _) = (0, 0);
        // Also goes over the white space before it.
        while let Some(digit @ b'0'..=b'9') = if digits == 0 { self.peek() } else { self.byte() } {
            number = match number.checked_mul(10) {
                Some(tens) => match tens.checked_add((digit - b'0') as usize) {
                    Some(number) => number,
                    None => return None,
                },
                None => return None,
            };
            (self.at, digits) = (self.at + 1, digits + 1);
        }
        if digits > 0 { Some(number) } else { None }
    }

    const fn byte(&self) -> Option<u8> {
        if self.at < self.json.len() { Some(self.json[self.at]) } else { None }
    }
}

/// `a == b`
pub(super) const fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut index = 0;
    while index < a.len() {
        if a[index] != b[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// Whether `text` begins with `start`.
pub(super) const fn starts_with(text: &[u8], start: &[u8]) -> bool {
    match text.split_at_checked(start.len()) {
        Some((begin, _)) => same(begin, start),
        None => false,
    }
}

const fn contains(text: &[u8], byte: u8) -> bool {
    let mut index = 0;
    while index < text.len() {
        if text[index] == byte {
            return true;
        }
        index += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::string::String;
    use std::vec::Vec;
    use std::{format, vec};

    type Found = (String, String, Vec<usize>, (usize, usize));

    fn read(json: &str) -> Result<Vec<Found>, &'static str> {
        let mut file = (json.len() as u64).to_le_bytes().to_vec();
        file.extend(json.as_bytes());
        file.extend([1, 2, 3]);
        let (mut header, data) = Header::new(&file)?;
        assert_eq!(data, [1, 2, 3]);
        let mut found = Vec::new();
        while let Some(tensor) = header.next()? {
            let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
            found.push((text(tensor.name), text(tensor.dtype), tensor.shape().to_vec(), tensor.bytes));
        }
        Ok(found)
    }

    fn tensor(name: &str, shape: &[usize], bytes: (usize, usize)) -> Found {
        (name.into(), "F32".into(), shape.to_vec(), bytes)
    }

    #[test]
    fn tensors_are_read_in_any_form_of_json() {
        let compact = r#"{"a.b":{"dtype":"F32","shape":[2,30],"data_offsets":[0,240]},"é":{"dtype":"F32","shape":[],"data_offsets":[240,244]}}   "#;
        assert_eq!(read(compact), Ok(vec![tensor("a.b", &[2, 30], (0, 240)), tensor("é", &[], (240, 244))]));
        let spaced = " { \"a\" : {\n\t\"data_offsets\" : [ 8 , 16 ] , \"shape\" : [ ] , \"dtype\" : \"F32\" } }\r\n";
        assert_eq!(read(spaced), Ok(vec![tensor("a", &[], (8, 16))]));
        assert_eq!(read("{}"), Ok(vec![]));
    }

    #[test]
    fn metadata_are_skipped() {
        let tensors = r#""a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
        for metadata in [
            "{}",
            r#"{"format":"pt"}"#,
            r#"{"format":"pt","version":"2"}"#,
            r#"{"note":"say \"}{\" \\","format":"monomorph","version":"1"}"#,
        ] {
            assert_eq!(
                read(&format!(r#"{{"__metadata__":{metadata},{tensors}}}"#)),
                Ok(vec![tensor("a", &[1], (0, 4))])
            );
            assert_eq!(
                read(&format!(r#"{{{tensors},"__metadata__":{metadata}}}"#)),
                Ok(vec![tensor("a", &[1], (0, 4))])
            );
        }
        let newer = read(r#"{"__metadata__":{"version":"2","format":"monomorph"}}"#);
        assert!(newer.is_err_and(|problem| problem.contains("newer version")));
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let sound = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}"#;
        assert!(read(sound).is_ok());
        for len in 0..sound.len() {
            assert_eq!(read(&sound[..len]), Err(DAMAGED), "{}", &sound[..len]);
        }
        // If any of its characters outside strings and numbers is missing, it is rejected, too.
        for (index, _) in sound.char_indices().filter(|(_, character)| "{}[]:\"".contains(*character)) {
            let without = format!("{}{}", &sound[..index], &sound[index + 1..]);
            assert!(read(&without).is_err(), "{without}");
        }
        for wrong in [
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},}"#,
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#,
            r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#,
            r#"{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]}}"#,
            r#"{"a":{"dtype":"F32","shape":[1]}}"#,
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1}}"#,
            r#"{} {}"#,
            "[]",
        ] {
            assert_eq!(read(wrong), Err(DAMAGED), "{wrong}");
        }
        assert!(read(r#"{"a\n":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#).is_err());
        let many = r#"{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}"#;
        assert_eq!(read(many), Err("a tensor has more than 8 axes"));
        assert!(Header::new(b"\x89PNG\r\n\x1a\n and so on").is_err());
        assert!(Header::new(&[1, 2, 3]).is_err());
        assert!(Header::new(&[200, 0, 0, 0, 0, 0, 0, 0, b'{']).is_err_and(|problem| problem.contains("cut short")));
    }
}
