//! A log of a training.

use std::fs::File;
use std::io::{Error, ErrorKind, Result, Write};
use std::path::Path;
use std::string::String;
use std::vec::Vec;

use crate::train::Epoch;

/// Rows of named numbers, written to a file as they come: as CSV, whose header is that of the first row, or as JSON lines, an
/// object on each.
///
/// Every row is written at once, so the file can be read while the training runs. What is not finite is `NaN` or `inf` in CSV,
/// and `null` in JSON, which has no word for it.
///
/// ```
/// use monomorph::watch::Log;
///
/// let mut log = Log::csv(Vec::new());
/// log.row(&[("step", 1.0), ("loss", 0.25)])?;
/// log.row(&[("step", 2.0), ("loss", f64::NAN)])?;
/// assert_eq!(log.into_inner(), b"step,loss\n1,0.25\n2,NaN\n");
///
/// let mut log = Log::json_lines(Vec::new());
/// log.row(&[("step", 1.0), ("loss", 0.25)])?;
/// assert_eq!(log.into_inner(), b"{\"step\":1,\"loss\":0.25}\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Log<W> {
    out: W,
    json: bool,
    header: Vec<String>,
    line: String,
}

impl Log<File> {
    /// A log in a new file: JSON lines if its name ends with `.jsonl` or `.json`, else CSV. An old file is replaced.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let extension = path.as_ref().extension().and_then(|extension| extension.to_str());
        let json = matches!(extension, Some("jsonl" | "json"));
        Ok(Self::new(File::create(&path)?, json))
    }
}

impl<W: Write> Log<W> {
    /// A log as CSV.
    pub fn csv(out: W) -> Self {
        Self::new(out, false)
    }

    /// A log as JSON lines.
    pub fn json_lines(out: W) -> Self {
        Self::new(out, true)
    }

    fn new(out: W, json: bool) -> Self {
        Self { out, json, header: Vec::new(), line: String::new() }
    }

    /// Writes a row. It allocates only while rows grow longer.
    ///
    /// # Errors
    /// Those of the writer; for CSV, names that are not those of the first row.
    pub fn row(&mut self, values: &[(&str, f64)]) -> Result<()> {
        use std::fmt::Write as _;
        let Self { out, json, header, line } = self;
        line.clear();
        if !*json {
            if header.is_empty() {
                header.extend(values.iter().map(|(name, _)| String::from(*name)));
                for (index, (name, _)) in values.iter().enumerate() {
                    separate(line, index);
                    if name.contains([',', '"', '\n', '\r']) {
                        line.push('"');
                        line.extend(name.chars().flat_map(|c| core::iter::repeat_n(c, if c == '"' { 2 } else { 1 })));
                        line.push('"');
                    } else {
                        line.push_str(name);
                    }
                }
                line.push('\n');
            }
            if !values.iter().map(|(name, _)| *name).eq(header.iter().map(String::as_str)) {
                let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
                let message = std::format!("the log has the columns {header:?}, but this row has {names:?}");
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
        }
        // Writing to a string does not fail.
        for (index, (name, value)) in values.iter().enumerate() {
            if *json {
                line.push(if index == 0 { '{' } else { ',' });
                quote(line, name);
                line.push(':');
                let _ = if value.is_finite() { write!(line, "{value}") } else { write!(line, "null") };
            } else {
                separate(line, index);
                let _ = write!(line, "{value}");
            }
        }
        line.push_str(match (*json, values.is_empty()) {
            (true, true) => "{}\n",
            (true, false) => "}\n",
            (false, _) => "\n",
        });
        out.write_all(line.as_bytes())?;
        out.flush()
    }

    /// Writes what a training reports of an epoch: `epoch`, `loss`, `accuracy`, `validation_loss`, `validation_accuracy`,
    /// `rate`, `seconds`; NaN where there is none.
    ///
    /// # Errors
    /// As [`row`](Self::row).
    pub fn epoch(&mut self, epoch: &Epoch) -> Result<()> {
        let (loss, accuracy) = match epoch.validation {
            Some(score) => (score.loss, score.accuracy),
            None => (f64::NAN, None),
        };
        self.row(&[
            ("epoch", f64::from(epoch.epoch)),
            ("loss", epoch.train.loss),
            ("accuracy", epoch.train.accuracy.unwrap_or(f64::NAN)),
            ("validation_loss", loss),
            ("validation_accuracy", accuracy.unwrap_or(f64::NAN)),
            ("rate", epoch.rate),
            ("seconds", epoch.seconds),
        ])
    }

    /// What it was written to.
    pub fn into_inner(self) -> W {
        self.out
    }
}

fn separate(line: &mut String, index: usize) {
    if index > 0 {
        line.push(',');
    }
}

/// A string of JSON.
fn quote(line: &mut String, text: &str) {
    use std::fmt::Write as _;
    line.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => line.extend(['\\', c]),
            c if c < ' ' => drop(write!(line, "\\u{:04x}", c as u32)),
            c => line.push(c),
        }
    }
    line.push('"');
}
