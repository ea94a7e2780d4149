//! Patterns of names: which tensors of a network are meant.

use monomorph_shapes::Text;

use super::{Entry, Path};

impl Path<'_> {
    /// Whether a pattern means this tensor: its name or that of a layer around it, where `*` is any number of characters.
    ///
    /// `head` means `head.weight` and `head.bias`, `conv*` all layers whose name begins so, `*.bias` all biases.
    ///
    /// ```
    /// use monomorph::prelude::*;
    /// network! { Net: [2] -> [1] { hidden: Dense(3), Tanh, Dense(1) } }
    ///
    /// let mut meant = String::new();
    /// Net::zeroed().for_each_tensor(|name, _, _| {
    ///     if name.matches("hidden") || name.matches("*1.b*") {
    ///         meant += &format!("{name} ");
    ///     }
    /// });
    /// assert_eq!(meant, "hidden.weight hidden.bias dense1.bias ");
    /// ```
    pub fn matches(&self, pattern: &str) -> bool {
        let mut found = false;
        self.walk(pattern.as_bytes(), &mut found);
        found
    }

    fn walk(&self, pattern: &[u8], found: &mut bool) -> u128 {
        let states = match self.outer {
            Some(outer) => advance(pattern, outer.walk(pattern, found), b"."),
            None => begin(pattern),
        };
        let states = advance(pattern, states, self.name.as_bytes());
        *found |= accepts(pattern, states);
        states
    }
}

/// Whether a [pattern](Path::matches) means any tensor of a network.
pub const fn matches_any(entries: &[Entry], pattern: &str) -> bool {
    any(entries, pattern.as_bytes(), begin(pattern.as_bytes()))
}

const fn any(entries: &[Entry], pattern: &[u8], states: u128) -> bool {
    let mut index = 0;
    while index < entries.len() {
        let found = match entries[index] {
            Entry::Tensor(tensor) => {
                !tensor.is_empty() && accepts(pattern, advance(pattern, states, tensor.name.as_bytes()))
            }
            Entry::Layer(name, inner) => {
                let states = advance(pattern, states, name.as_bytes());
                (accepts(pattern, states) && super::tensor_count(inner) > 0)
                    || any(inner, pattern, advance(pattern, states, b"."))
            }
            Entry::Padding(_) => false,
        };
        if found {
            return true;
        }
        index += 1;
    }
    false
}

// A pattern is read as an automaton: bit `i` says that its first `i` characters have been matched. A pattern of 128
// characters or more means nothing.

const fn begin(pattern: &[u8]) -> u128 {
    if pattern.len() < 128 { skip(pattern, 1) } else { 0 }
}

const fn accepts(pattern: &[u8], states: u128) -> bool {
    pattern.len() < 128 && states >> pattern.len() & 1 == 1
}

/// A `*` may stand for nothing.
const fn skip(pattern: &[u8], mut states: u128) -> u128 {
    let mut index = 0;
    while index < pattern.len() {
        if pattern[index] == b'*' && states >> index & 1 == 1 {
            states |= 1 << (index + 1);
        }
        index += 1;
    }
    states
}

const fn advance(pattern: &[u8], mut states: u128, text: &[u8]) -> u128 {
    let mut at = 0;
    while at < text.len() && states != 0 {
        let (mut next, mut index) = (0, 0);
        while index < pattern.len() {
            if states >> index & 1 == 1 {
                if pattern[index] == b'*' {
                    next |= 1 << index;
                } else if pattern[index] == text[at] {
                    next |= 1 << (index + 1);
                }
            }
            index += 1;
        }
        states = skip(pattern, next);
        at += 1;
    }
    states
}

/// Fails to compile if a pattern means nothing in a network: what [`layer_rates!`](crate::layer_rates) calls.
#[doc(hidden)]
pub const fn assert_matches(entries: &[Entry], rates: &[(&str, f64)]) {
    let mut index = 0;
    while index < rates.len() {
        let (pattern, rate) = rates[index];
        if !matches_any(entries, pattern) {
            let text = Text::new().str("no layer or tensor of this network is called `").str(pattern);
            let text =
                text.str("`; a pattern is the name of a layer such as `dense1`, or has a `*` for any characters");
            panic!("{}", text.as_str());
        }
        if !(rate >= 0.0 && rate <= 1e9) {
            let text = Text::new().str("the factor of the learning rate of `").str(pattern);
            panic!("{}", text.str("` must be at least 0 and at most 1e9").as_str());
        }
        index += 1;
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    const fn matches(pattern: &str, text: &str) -> bool {
        let pattern = pattern.as_bytes();
        accepts(pattern, advance(pattern, begin(pattern), text.as_bytes()))
    }

    #[test]
    fn stars() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "abc", true),
            ("conv*", "conv1", true),
            ("conv*", "con", false),
            ("*bias", "conv.bias", true),
            ("*bias", "biases", false),
            ("a*b*c", "aXbbYc", true),
            ("a*b*c", "aXcYb", false),
            ("**", "x", true),
            ("a.b", "axb", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
        assert!(!matches(&"*".repeat(128), "a") && matches(&"*".repeat(127), "a"));
    }
}
