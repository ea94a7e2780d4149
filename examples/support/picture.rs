//! Gray pictures as PNG files.

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::Path;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

/// Writes pictures of the same size side by side, in rows of `columns`, with a white line between them; 0 is white and 1
/// black, and every pixel becomes a square of `zoom` pixels.
pub fn sheet(
    path: &Path,
    pictures: &[Vec<f32>],
    width: usize,
    columns: usize,
    zoom: usize,
) -> Result<(), Box<dyn Error>> {
    let height = pictures.first().map_or(0, |picture| picture.len() / width);
    let rows = pictures.len().div_ceil(columns);
    let (across, down) = (columns * (width + 1) * zoom, rows * (height + 1) * zoom);
    let mut pixels = Vec::with_capacity((across + 1) * down);
    for y in 0..down {
        pixels.push(0); // no filter
        for x in 0..across {
            let (column, x) = (x / zoom / (width + 1), x / zoom % (width + 1));
            let (row, y) = (y / zoom / (height + 1), y / zoom % (height + 1));
            let picture = pictures.get(row * columns + column).filter(|_| x < width && y < height);
            let ink = picture.map_or(0.0, |picture| picture[y * width + x].clamp(0.0, 1.0));
            pixels.push(255 - (255.0 * ink) as u8);
        }
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&pixels)?;
    let mut header = Vec::new();
    header.extend(u32::try_from(across)?.to_be_bytes());
    header.extend(u32::try_from(down)?.to_be_bytes());
    header.extend([8, 0, 0, 0, 0]); // 8 bits of gray
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = File::create(path)?;
    file.write_all(b"\x89PNG\r\n\x1a\n")?;
    for (kind, data) in [(b"IHDR", header), (b"IDAT", encoder.finish()?), (b"IEND", Vec::new())] {
        let mut crc = Crc::new();
        crc.update(kind);
        crc.update(&data);
        file.write_all(&u32::try_from(data.len())?.to_be_bytes())?;
        file.write_all(kind)?;
        file.write_all(&data)?;
        file.write_all(&crc.sum().to_be_bytes())?;
    }
    Ok(())
}
