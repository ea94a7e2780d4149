//! Prints what a model file would become as `network!` text.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("the path of a model file is missing")?;
    let model = monomorph_files::read_graph(&std::fs::read(path)?)?;
    println!("{}", model.structure());
    Ok(())
}
