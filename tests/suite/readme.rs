//! The README's figures are those that were recorded.

const README: &str = include_str!("../../README.md");
const RECORD: &str = include_str!("../../examples/digits/record.txt");

/// `250368` as `250,368`.
fn grouped(number: &str) -> String {
    let (thousands, rest) = number.split_at(number.len() - 3);
    format!("{thousands},{rest}")
}

#[test]
fn accuracies_are_the_recorded_ones() {
    let accuracy = RECORD.lines().find_map(|line| line.strip_prefix("test accuracy: ")).expect("the accuracy");
    let epochs = RECORD.lines().find_map(|line| line.strip_prefix("epoch ")?.split('/').next()).expect("an epoch");
    let mut expected = vec![
        format!("# learns MNIST: {accuracy} in "),
        format!("| MNIST test accuracy of the digits example | {accuracy} after {epochs} epochs |"),
    ];
    for format in ["f32", "bf16", "f16", "i8"] {
        let row = RECORD.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let row = row.into_iter().find(|words| words.first() == Some(&format)).expect("a row");
        expected.push(format!("| `{format}` | {} | {} % |", grouped(row[1]), row[2]));
    }
    for text in &expected {
        assert!(README.contains(text), "README.md lacks `{text}`");
    }
    // No other place tells of an accuracy.
    let lines =
        README.lines().filter(|line| line.contains(" % ") && (line.contains("MNIST") || line.starts_with("| `")));
    let others: Vec<_> = lines.filter(|line| !expected.iter().any(|text| line.contains(text))).collect();
    assert!(others.is_empty(), "{others:#?}");
}
