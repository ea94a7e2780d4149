//! Normally distributed numbers by the ziggurat of Marsaglia and Tsang (2000), in the form of Doornik, *An improved ziggurat
//! method to generate normal random samples* (2005).
//!
//! The area under the curve is cut into 128 layers of the same area. A number that is drawn in a layer's rectangle and
//! is below the next layer's edge is under the curve for certain: 98 of 100 are, and cost one draw and one product.

use super::Noise;

/// The right edges of the layers: of the lowest one, the width of a rectangle of its area, tail included.
const EDGES: [f64; 129] = [
    3.7130862467425505,
    3.442619855899,
    3.2230849845811416,
    3.0832288582168683,
    2.9786962526477803,
    2.894344007021529,
    2.8231253505489105,
    2.761169372387177,
    2.7061135731218195,
    2.6564064112613597,
    2.6109722484318474,
    2.569033625924938,
    2.5300096723888275,
    2.493454522095372,
    2.4590181774118305,
    2.42642064553375,
    2.3954342780110625,
    2.3658713701176386,
    2.3375752413392368,
    2.310413683698763,
    2.2842740596774718,
    2.2590595738691985,
    2.2346863955909795,
    2.2110814088787034,
    2.188180432076049,
    2.165926793748922,
    2.1442701823603953,
    2.1231657086739766,
    2.1025731351892385,
    2.082456237992017,
    2.0627822745083084,
    2.0435215366550676,
    2.0246469733773855,
    2.006133869963472,
    1.98795957412762,
    1.9701032608543265,
    1.9525457295535567,
    1.9352692282966228,
    1.9182573008645099,
    1.901494653105151,
    1.884967035707759,
    1.8686611409944887,
    1.8525645117280911,
    1.836665460258446,
    1.8209529965961255,
    1.8054167642192285,
    1.7900469825998586,
    1.7748343955860695,
    1.7597702248995934,
    1.7448461281138004,
    1.7300541605637305,
    1.7153867407136676,
    1.7008366185699169,
    1.6863968467791681,
    1.672060754097601,
    1.6578219209540241,
    1.6436741568628686,
    1.6296114794706347,
    1.615628095043161,
    1.6017183802213781,
    1.5878768648905761,
    1.5740982160230008,
    1.560377222366169,
    1.5467087798599104,
    1.5330878776740433,
    1.5195095847659401,
    1.5059690368632033,
    1.492461423781354,
    1.4789819769899242,
    1.4655259573427108,
    1.4520886428892246,
    1.4386653166845635,
    1.42525125451406,
    1.4118417124470577,
    1.3984319141310053,
    1.3850170377326518,
    1.3715922024273426,
    1.3581524543301435,
    1.344692751753547,
    1.3312079496656273,
    1.317692783209414,
    1.3041418501286168,
    1.2905495919261964,
    1.2769102735601556,
    1.263217961454621,
    1.2494664995730682,
    1.2356494832633627,
    1.2217602305399964,
    1.2077917504159497,
    1.1937367078331287,
    1.1795873846639882,
    1.1653356361647524,
    1.1509728421488674,
    1.1364898520131608,
    1.1218769225825422,
    1.107123647534036,
    1.0922188769072774,
    1.0771506248928957,
    1.0619059636948243,
    1.0464709007640454,
    1.0308302360681956,
    1.0149673952513305,
    0.9988642334929836,
    0.982500803515429,
    0.9658550794011499,
    0.9489026255113064,
    0.9316161966151508,
    0.9139652510230323,
    0.8959153525809377,
    0.8774274291129234,
    0.8584568431938132,
    0.8389522142975774,
    0.8188539067003573,
    0.7980920606440569,
    0.7765839878947599,
    0.7542306644540556,
    0.7309119106424888,
    0.7064796113354365,
    0.6807479186691546,
    0.6534786387399752,
    0.6243585973360507,
    0.5929629424714483,
    0.5586921784081852,
    0.5206560387620606,
    0.4774378372966898,
    0.4265479863554235,
    0.36287143109703196,
    0.27232086481396467,
    0.0,
];

impl Noise {
    /// Independent standard normal numbers without end, several times as fast as [`normal`](Self::normal), which gives
    /// others; the same on every platform, too.
    ///
    /// ```
    /// let mut noise = monomorph::Noise::new(7);
    /// let mean = noise.normals().take(1000).sum::<f64>() / 1000.0;
    /// assert!(mean.abs() < 0.1);
    /// ```
    #[inline]
    pub fn normals(&mut self) -> impl Iterator<Item = f64> + '_ {
        core::iter::from_fn(|| Some(self.ziggurat()))
    }

    #[inline]
    fn ziggurat(&mut self) -> f64 {
        loop {
            let bits = self.next_u64();
            // The layer and the position within it come from different bits.
            let layer = (bits & 127) as usize;
            let [edge, above] = [EDGES[layer], EDGES[layer + 1]];
            let position = (bits as i64 >> 11) as f64 * (1.0 / (1_u64 << 52) as f64);
            let x = position * edge;
            if x.abs() < above {
                return x;
            }
            if let Some(x) = self.at_an_edge(layer, x) {
                return x;
            }
        }
    }

    /// What is drawn where a rectangle is cut by the curve, or in the tail.
    #[cold]
    fn at_an_edge(&mut self, layer: usize, x: f64) -> Option<f64> {
        if layer == 0 {
            return Some(self.tail().copysign(x));
        }
        let [edge, above] = [EDGES[layer], EDGES[layer + 1]];
        let relative = |edge: f64| libm::exp(-0.5 * (edge * edge - x * x));
        let (low, high) = (relative(edge), relative(above));
        (low + self.uniform() * (high - low) < 1.0).then_some(x)
    }

    /// A number beyond the lowest layer's edge, by Marsaglia (1964).
    fn tail(&mut self) -> f64 {
        const EDGE: f64 = EDGES[1];
        loop {
            // 1 − u is in (0, 1], so its logarithm is finite.
            let x = -libm::log(1.0 - self.uniform()) / EDGE;
            let y = -libm::log(1.0 - self.uniform());
            if 2.0 * y >= x * x {
                return EDGE + x;
            }
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    fn cdf(x: f64) -> f64 {
        0.5 * libm::erfc(-x / core::f64::consts::SQRT_2)
    }

    #[test]
    fn numbers_are_normally_distributed() {
        let mut numbers: std::vec::Vec<f64> = Noise::new(3).normals().take(1_000_000).collect();
        numbers.sort_by(f64::total_cmp);
        let count = numbers.len() as f64;
        // Kolmogorov and Smirnov: a larger distance has a probability of 1 percent.
        let distance = numbers.iter().enumerate().map(|(index, x)| {
            let (below, at) = (index as f64 / count, cdf(*x));
            (at - below).abs().max((at - below - 1.0 / count).abs())
        });
        let distance = distance.fold(0.0, f64::max) * count.sqrt();
        assert!(distance < 1.63, "{distance}");
        let moment = |power: i32| numbers.iter().map(|x| x.powi(power)).sum::<f64>() / count;
        for (power, expected, error) in [(1, 0.0, 4e-3), (2, 1.0, 6e-3), (3, 0.0, 2e-2), (4, 3.0, 4e-2), (6, 15.0, 0.5)]
        {
            assert!((moment(power) - expected).abs() < error, "{power}: {}", moment(power));
        }
        let beyond = numbers.iter().filter(|x| x.abs() > 3.5).count() as f64;
        assert!((beyond - 465.0).abs() < 100.0, "{beyond}");
    }
}
