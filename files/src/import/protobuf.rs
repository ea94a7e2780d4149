//! The wire format of protocol buffers, as far as ONNX uses it.

use crate::Error;

/// A field of a message.
pub(super) enum Field<'a> {
    Whole(u64),
    Bytes(&'a [u8]),
    Four([u8; 4]),
    Eight([u8; 8]),
}

/// The fields of a message, one after another, with their numbers.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    rest: &'a [u8],
}

fn damaged() -> Error {
    Error("the file is damaged: a field of it ends too early".into())
}

impl<'a> Message<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(damaged)?;
        self.rest = rest;
        Ok(taken)
    }

    fn varint(&mut self) -> Result<u64, Error> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Error("the file is damaged: a number of it has too many bytes".into()))
    }

    fn field(&mut self) -> Result<(u64, Field<'a>), Error> {
        let key = self.varint()?;
        let field = match key & 7 {
            0 => Field::Whole(self.varint()?),
            1 => Field::Eight(self.take(8)?.try_into().map_err(|_| damaged())?),
            2 => {
                let count = usize::try_from(self.varint()?).map_err(|_| damaged())?;
                Field::Bytes(self.take(count)?)
            }
            5 => Field::Four(self.take(4)?.try_into().map_err(|_| damaged())?),
            other => return Err(Error(format!("the file is no ONNX model: it has a field of wire type {other}"))),
        };
        Ok((key >> 3, field))
    }
}

impl<'a> Iterator for Message<'a> {
    type Item = Result<(u64, Field<'a>), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

impl<'a> Field<'a> {
    pub(super) fn message(&self) -> Result<Message<'a>, Error> {
        Ok(Message::new(self.bytes()?))
    }

    pub(super) fn bytes(&self) -> Result<&'a [u8], Error> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(Error("the file is damaged: a number stands where a part of the model is expected".into())),
        }
    }

    pub(super) fn text(&self) -> Result<String, Error> {
        let text = core::str::from_utf8(self.bytes()?);
        Ok(text.map_err(|_| Error("the file is damaged: a name in it is no text".into()))?.to_owned())
    }

    pub(super) fn whole(&self) -> Result<i64, Error> {
        match self {
            Self::Whole(number) => Ok(number.cast_signed()),
            _ => Err(Error("the file is damaged: a whole number is expected, and something else is there".into())),
        }
    }

    /// Adds whole numbers, of which one or a packed list is here.
    pub(super) fn wholes(&self, to: &mut Vec<i64>) -> Result<(), Error> {
        match self {
            Self::Whole(number) => to.push(number.cast_signed()),
            Self::Bytes(bytes) => {
                let mut list = Message::new(bytes);
                while !list.rest.is_empty() {
                    to.push(list.varint()?.cast_signed());
                }
            }
            _ => return Err(damaged()),
        }
        Ok(())
    }

    /// Adds numbers of four bytes, of which one or a packed list is here.
    pub(super) fn reals(&self, to: &mut Vec<f32>) -> Result<(), Error> {
        match self {
            Self::Four(bytes) => to.push(f32::from_le_bytes(*bytes)),
            Self::Bytes(bytes) => to.extend(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes))),
            _ => return Err(damaged()),
        }
        Ok(())
    }

    /// Adds numbers of eight bytes, of which one or a packed list is here.
    pub(super) fn doubles(&self, to: &mut Vec<f32>) -> Result<(), Error> {
        match self {
            Self::Eight(bytes) => to.push(f64::from_le_bytes(*bytes) as f32),
            Self::Bytes(bytes) => to.extend(bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes) as f32)),
            _ => return Err(damaged()),
        }
        Ok(())
    }
}
