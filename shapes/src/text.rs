//! Messages that const code builds.

/// A message built in const code.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Text {
    bytes: [u8; 400],
    len: usize,
}

impl Text {
    /// An empty text.
    pub const fn new() -> Self {
        Self { bytes: [0; 400], len: 0 }
    }

    /// Appends a string; what does not fit is left out.
    pub const fn str(mut self, text: &str) -> Self {
        let (bytes, mut index) = (text.as_bytes(), 0);
        if self.len + bytes.len() <= self.bytes.len() {
            while index < bytes.len() {
                self.bytes[self.len] = bytes[index];
                self.len += 1;
                index += 1;
            }
        }
        self
    }

    /// Appends a number.
    pub const fn number(mut self, number: usize) -> Self {
        if number >= 10 {
            self = self.number(number / 10);
        }
        if self.len < self.bytes.len() {
            self.bytes[self.len] = b'0' + (number % 10) as u8;
            self.len += 1;
        }
        self
    }

    /// Appends a shape, such as `[28, 28, 1]`.
    pub const fn shape(mut self, shape: &[usize]) -> Self {
        self = self.str("[");
        let mut axis = 0;
        while axis < shape.len() {
            if axis > 0 {
                self = self.str(", ");
            }
            self = self.number(shape[axis]);
            axis += 1;
        }
        self.str("]")
    }

    /// The text.
    pub const fn as_str(&self) -> &str {
        match core::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => "",
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for Text {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}
