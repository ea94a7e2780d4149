use alloc::string::ToString;

use super::table::{Rounded, Share};
use super::*;

#[test]
fn table_of_a_chain() {
    let expected = "\
LeNet5
layer     kind       output        parameters    bytes     MACs  of MACs
────────────────────────────────────────────────────────────────────────
input                [28, 28, 1]
conv1     Conv2d     [28, 28, 6]          156      624  117,600    28.2%
relu1     Relu       [28, 28, 6]
pool1     MaxPool2d  [14, 14, 6]
conv2     Conv2d     [10, 10, 16]       2,416    9,664  240,000    57.6%
relu2     Relu       [10, 10, 16]
pool2     MaxPool2d  [5, 5, 16]
flatten1  Flatten    [400]
dense1    Dense      [120]             48,120  192,480   48,000    11.5%
relu3     Relu       [120]
dense2    Dense      [84]              10,164   40,656   10,080     2.4%
relu4     Relu       [84]
dense3    Dense      [10]                 850    3,400      840     0.2%
────────────────────────────────────────────────────────────────────────
total                                  61,706  246,824  416,520

parameters  246,824 bytes  241.0 KiB
evaluate     23,520 bytes   23.0 KiB  beside the parameters, for one sample
train       301,584 bytes  294.5 KiB  beside the parameters, for one sample
";
    assert_eq!(networks::LENET.to_string(), expected);
}

#[test]
fn says_what_is_read_where_it_is_not_the_row_above() {
    let table = networks::RESNET.to_string();
    let line = |name: &str| table.lines().find(|line| line.starts_with(name)).expect("a row");
    assert!(line("residual1").ends_with("  from norm3, relu1"));
    assert!(line("shortcut1").ends_with("   1.0%  from relu3"));
    assert!(line("residual2").ends_with("  from norm5, shortcut1"));
    assert_eq!(table.matches("from ").count(), 5);
    let table = networks::UNET.to_string();
    assert!(table.contains("  from relu2, up1\n") && table.contains("  from relu1, up2\n"));
    assert_eq!(networks::ACTOR_CRITIC.to_string().matches("from ").count(), 1);
}

#[test]
fn totals() {
    assert_eq!(networks::RESNET.parameters(), 78_666);
    assert_eq!(networks::RESNET.parameter_bytes(), 4 * 78_666);
    assert_eq!(networks::RESNET.macs(), 12_501_632);
    let table = networks::RESNET.to_string();
    assert!(table.contains("78,666  314,664  12,501,632\n"));
    // Numbers that are too large to count do not overflow either.
    assert_eq!((networks::HOSTILE.parameters(), networks::HOSTILE.parameter_bytes()), (usize::MAX, usize::MAX));
}

#[test]
fn shared_parameters_are_counted_once() {
    let table = networks::MIXED.to_string();
    assert_eq!(table.matches("shared").count(), 1);
    assert_eq!(networks::MIXED.parameters(), 1964);
}

#[test]
fn columns_are_aligned() {
    for summary in networks::ALL.into_iter().filter(|summary| *summary != networks::HOSTILE) {
        let table = summary.to_string();
        let header = table.lines().nth(1).expect("a header");
        let end = |line: &str, title: &str| line.find(title).map(|at| at + title.len());
        let (parameters, macs) = (end(header, "parameters").unwrap(), end(header, " MACs").unwrap());
        for line in table.lines().take(summary.graph.len() + 5).skip(1) {
            assert_eq!(line, line.trim_end());
            // Numbers are right-aligned below their title, and a gap follows.
            for at in [parameters, macs] {
                let after = line.get(at..at + 1).unwrap_or(" ");
                assert!(after == " " || line.starts_with('─'), "{line}");
            }
        }
    }
}

#[test]
fn numbers() {
    for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_000_007, "1,000,007"), (12_034, "12,034")] {
        assert_eq!(Grouped(number).to_string(), text);
    }
    let share = |part, whole| Share { part, whole }.to_string();
    assert_eq!([share(0, 5), share(1, 3), share(1, 10_000), share(5, 5)], ["", "33.3%", "<0.1%", "100.0%"]);
    assert_eq!(share(usize::MAX, usize::MAX), "100.0%");
    let rounded = [1023, 1024, 1536, (1 << 20) - 1, 1 << 20, 3 << 29].map(|bytes| Rounded(bytes).to_string());
    assert_eq!(rounded, ["", "1.0 KiB", "1.5 KiB", "1.0 MiB", "1.0 MiB", "1.5 GiB"]);
}

#[test]
fn families() {
    let of = |kind| Family::of(&Node { kind, ..networks::LENET.graph[0] });
    let families = ["DepthwiseConv2d", "Dense", "RmsNorm", "Relu6", "GlobalAvgPool2d", "Concat", "self::Gru"].map(of);
    use Family::{Activation, Convolution, Dense, Norm, Other, Pool, Structure};
    assert_eq!(families, [Convolution, Dense, Norm, Activation, Pool, Structure, Other]);
}
