//! Damaged files are refused in words.
