//! NIST's files.

/// What a file says: the two starts, the certified values, and the data, one column after another.
pub struct File {
    /// The two starts.
    pub starts: [Vec<f64>; 2],
    /// The certified parameters.
    pub certified: Vec<f64>,
    /// The response, then the predictors.
    pub columns: Vec<Vec<f64>>,
}

impl File {
    /// Reads a file: lines `b1 = start start value deviation`, and below `Data: y x` one point a line.
    pub fn parse(text: &str) -> Option<Self> {
        let mut file = Self { starts: Default::default(), certified: Vec::new(), columns: Vec::new() };
        for line in text.lines() {
            let Some((name, values)) = line.split_once('=') else { continue };
            let is_parameter = name.trim().strip_prefix('b').is_some_and(|index| index.parse::<u32>().is_ok());
            let values: Option<Vec<f64>> = values.split_whitespace().map(|value| value.parse().ok()).collect();
            if let (true, Some([first, second, certified, _])) = (is_parameter, values.as_deref()) {
                file.starts[0].push(*first);
                file.starts[1].push(*second);
                file.certified.push(*certified);
            }
        }
        let (_, data) = text.rsplit_once("\nData:")?;
        for line in data.lines().skip(1) {
            let values: Vec<f64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
            file.columns.resize(file.columns.len().max(values.len()), Vec::new());
            file.columns.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
        }
        (!file.certified.is_empty() && file.columns.len() >= 2).then_some(file)
    }
}

/// The number of digits in which all parameters agree with the certified values.
pub fn digits(found: &[f64], certified: &[f64]) -> f64 {
    let each = found.iter().zip(certified).map(|(found, exact)| -((found - exact) / exact).abs().log10());
    // A number that is exactly equal has as many as NIST gives.
    each.fold(11.0, f64::min)
}
