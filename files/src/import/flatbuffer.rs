//! FlatBuffers, as far as TensorFlow Lite uses them: tables of fields, lists, texts.

use crate::Error;

/// A table somewhere in a file.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
}

fn damaged() -> Error {
    Error("the file is damaged: a part of it lies outside".into())
}

/// Bytes of a file at a place.
fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Error> {
    let part = at.checked_add(N).and_then(|end| bytes.get(at..end)).ok_or_else(damaged)?;
    part.try_into().map_err(|_| damaged())
}

/// What an offset at a place points to.
fn follow(bytes: &[u8], at: usize) -> Result<usize, Error> {
    let offset = u32::from_le_bytes(bytes_at(bytes, at)?) as usize;
    at.checked_add(offset).ok_or_else(damaged)
}

impl<'a> Table<'a> {
    /// The table that a file begins with.
    pub(super) fn root(bytes: &'a [u8]) -> Result<Self, Error> {
        Ok(Self { bytes, at: follow(bytes, 0)? })
    }

    /// Where a field is, if the table has it.
    fn field(&self, number: usize) -> Result<Option<usize>, Error> {
        let back = i32::from_le_bytes(bytes_at(self.bytes, self.at)?);
        let fields = (self.at as i64).checked_sub(i64::from(back)).and_then(|at| usize::try_from(at).ok());
        let fields = fields.ok_or_else(damaged)?;
        let place = 4 + 2 * number;
        if place + 2 > usize::from(u16::from_le_bytes(bytes_at(self.bytes, fields)?)) {
            return Ok(None);
        }
        let offset = u16::from_le_bytes(bytes_at(self.bytes, fields.checked_add(place).ok_or_else(damaged)?)?);
        Ok((offset != 0).then_some(self.at + usize::from(offset)))
    }

    pub(super) fn byte(&self, number: usize) -> Result<u8, Error> {
        self.field(number)?.map_or(Ok(0), |at| Ok(bytes_at::<1>(self.bytes, at)?[0]))
    }

    pub(super) fn whole(&self, number: usize, default: i32) -> Result<i32, Error> {
        self.field(number)?.map_or(Ok(default), |at| Ok(i32::from_le_bytes(bytes_at(self.bytes, at)?)))
    }

    pub(super) fn real(&self, number: usize, default: f32) -> Result<f32, Error> {
        self.field(number)?.map_or(Ok(default), |at| Ok(f32::from_le_bytes(bytes_at(self.bytes, at)?)))
    }

    pub(super) fn table(&self, number: usize) -> Result<Option<Self>, Error> {
        let table = |at| Ok(Self { bytes: self.bytes, at: follow(self.bytes, at)? });
        self.field(number)?.map(table).transpose()
    }

    /// The bytes of a list of elements of so many bytes, and where it begins.
    fn list(&self, number: usize, size: usize) -> Result<(usize, &'a [u8]), Error> {
        let Some(field) = self.field(number)? else { return Ok((0, &[])) };
        let at = follow(self.bytes, field)?;
        let count = u32::from_le_bytes(bytes_at(self.bytes, at)?) as usize;
        let end = count.checked_mul(size).and_then(|bytes| bytes.checked_add(at + 4));
        let list = end.and_then(|end| self.bytes.get(at + 4..end)).ok_or_else(damaged)?;
        Ok((at + 4, list))
    }

    pub(super) fn bytes(&self, number: usize) -> Result<&'a [u8], Error> {
        Ok(self.list(number, 1)?.1)
    }

    pub(super) fn text(&self, number: usize) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(self.bytes(number)?).into_owned())
    }

    pub(super) fn wholes(&self, number: usize) -> Result<Vec<i32>, Error> {
        let (_, list) = self.list(number, 4)?;
        Ok(list.as_chunks().0.iter().map(|bytes| i32::from_le_bytes(*bytes)).collect())
    }

    pub(super) fn tables(&self, number: usize) -> Result<Vec<Self>, Error> {
        let (start, list) = self.list(number, 4)?;
        let places = (0..list.len() / 4).map(|index| start + 4 * index);
        places.map(|at| Ok(Self { bytes: self.bytes, at: follow(self.bytes, at)? })).collect()
    }
}
