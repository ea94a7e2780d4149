#[path = "suite/audio.rs"]
mod audio;
