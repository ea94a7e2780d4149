//! A part of a file, that knows where it is.

use serde_json::Value;

use crate::Error;

/// No size in a file is larger: a network of more than that many channels or taps is a mistake.
const MOST: u64 = 1 << 20;

/// A value and its path from the root, such as `config.layers[1].channels`.
#[derive(Clone)]
pub(crate) struct Node<'a> {
    value: &'a Value,
    path: String,
}

impl<'a> Node<'a> {
    pub(crate) fn root(value: &'a Value) -> Self {
        Self { value, path: String::new() }
    }

    pub(crate) fn error(&self, problem: &str) -> Error {
        let path = if self.path.is_empty() { "the file" } else { &self.path };
        Error(format!("{path} {problem}"))
    }

    /// What the value is, in short.
    fn shown(&self) -> String {
        match self.value {
            Value::Null => "null".to_owned(),
            Value::Array(list) => format!("a list of {}", list.len()),
            Value::Object(_) => "an object".to_owned(),
            other => {
                let text = other.to_string();
                if text.chars().count() > 40 { "a long text".to_owned() } else { text }
            }
        }
    }

    fn is_not(&self, expected: &str) -> Error {
        self.error(&format!("is {}, but {expected} is expected", self.shown()))
    }

    /// The member of this name, unless it is missing or null.
    pub(crate) fn find(&self, key: &str) -> Option<Self> {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Some(Self { value, path })
    }

    pub(crate) fn get(&self, key: &str) -> Result<Self, Error> {
        self.find(key).ok_or_else(|| self.error(&format!("has no `{key}`")))
    }

    pub(crate) fn list(&self) -> Result<Vec<Self>, Error> {
        let list = self.value.as_array().ok_or_else(|| self.is_not("a list"))?;
        let part = |(index, value)| Self { value, path: format!("{}[{index}]", self.path) };
        Ok(list.iter().enumerate().map(part).collect())
    }

    pub(crate) fn is_list(&self) -> bool {
        self.value.is_array()
    }

    pub(crate) fn is_text(&self) -> bool {
        self.value.is_string()
    }

    pub(crate) fn is_object(&self) -> bool {
        self.value.is_object()
    }

    /// The names of its members.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.value.as_object().into_iter().flat_map(|members| members.keys().map(String::as_str))
    }

    /// A size: at least 1.
    pub(crate) fn size(&self) -> Result<usize, Error> {
        match self.value.as_u64() {
            Some(0) => Err(self.error("is 0")),
            Some(size) if size <= MOST => Ok(size as usize),
            Some(_) => Err(self.is_not(&format!("at most {MOST}"))),
            None => Err(self.is_not("a whole number")),
        }
    }

    pub(crate) fn size_or(&self, key: &str, default: usize) -> Result<usize, Error> {
        self.find(key).map_or(Ok(default), |node| node.size())
    }

    pub(crate) fn number(&self) -> Result<f64, Error> {
        self.value.as_f64().ok_or_else(|| self.is_not("a number"))
    }

    /// A number as parameters are.
    pub(crate) fn parameter(&self) -> Result<f32, Error> {
        let number = self.number()? as f32;
        if number.is_finite() { Ok(number) } else { Err(self.is_not("a number within the range of an f32")) }
    }

    pub(crate) fn flag(&self) -> Result<bool, Error> {
        // Some files have 0 and 1.
        match (self.value.as_bool(), self.value.as_u64()) {
            (Some(flag), _) => Ok(flag),
            (None, Some(number @ (0 | 1))) => Ok(number == 1),
            _ => Err(self.is_not("true or false")),
        }
    }

    pub(crate) fn flag_or(&self, key: &str, default: bool) -> Result<bool, Error> {
        self.find(key).map_or(Ok(default), |node| node.flag())
    }

    pub(crate) fn text(&self) -> Result<&'a str, Error> {
        self.value.as_str().ok_or_else(|| self.is_not("a text"))
    }

    /// Lists in lists of this shape, as one list.
    pub(crate) fn numbers(&self, shape: &[usize]) -> Result<Vec<f32>, Error> {
        let mut numbers = Vec::new();
        self.collect(shape, &mut numbers)?;
        Ok(numbers)
    }

    fn collect(&self, shape: &[usize], numbers: &mut Vec<f32>) -> Result<(), Error> {
        let [size, inner @ ..] = shape else {
            numbers.push(self.parameter()?);
            return Ok(());
        };
        let parts = self.list()?;
        if parts.len() != *size {
            return Err(self.error(&format!("has {} entries, but {size} are expected", parts.len())));
        }
        parts.iter().try_for_each(|part| part.collect(inner, numbers))
    }
}
