//! The formats of floating-point numbers, and the polynomials fitted to them.

use fearless_simd::SimdFloatElement;

/// The format and the polynomials of a floating-point type: `f32` or `f64`.
pub(crate) trait Float: SimdFloatElement + 'static {
    /// Bits of the stored mantissa.
    const MANTISSA_BITS: u32;
    /// The stored mantissa, all ones.
    const MANTISSA: Self::Bits;
    /// The bits of 1.
    const ONE_BITS: Self::Bits;
    /// The bits of ½.
    const HALF_BITS: Self::Bits;
    /// The bits of √½.
    const ROOT_HALF_BITS: Self::Bits;
    /// The bits of 1 minus those of √½.
    const ONE_LESS_ROOT_HALF_BITS: Self::Bits;
    /// The bits of `INTEGERS`.
    const INTEGERS_BITS: Self::Bits;
    /// 2 to the power of `MANTISSA_BITS`: from here on, adjacent numbers differ by 1.
    const INTEGERS: Self;
    /// Adding this rounds a number to the nearest integer, which is then in the low bits.
    const ROUNDER: Self;
    /// The stored exponent of 1.
    const BIAS: Self;
    /// The smallest normal number.
    const MIN_POSITIVE: Self;
    /// A power of 2 that makes any subnormal number normal.
    const RAISE: Self;
    /// The exponent of `RAISE`.
    const RAISE_EXPONENT: Self;
    /// Infinity.
    const INFINITY: Self;
    /// Not a number.
    const NAN: Self;
    /// log₂ e.
    const LOG2_E: Self;
    /// ln 2 with few enough bits that its product with any exponent is exact.
    const LN_2_HIGH: Self;
    /// ln 2 minus `LN_2_HIGH`.
    const LN_2_LOW: Self;
    /// At and below this, `eˣ` is 0.
    const EXP_MIN: Self;
    /// At and above this, `eˣ` is infinite.
    const EXP_MAX: Self;
    /// At and above this, `tanh(x / 2)` is 1.
    const TANH_MAX: Self;
    /// At and above this, `1 / (1 + e⁻ˣ)` is 1.
    const SIGMOID_MAX: Self;
    /// A power of 2, whose products with `eˣ` are normal numbers from minus `SIGMOID_MAX` to minus `EXP_MIN`.
    const SIGMOID_SCALE: Self;
    /// Its bits.
    const SIGMOID_SCALE_BITS: Self::Bits;
    /// At and above this, `erf x` is 1.
    const ERF_MAX: Self;
    /// `(eʳ − 1 − r) / r²` for `|r| <= ½ ln 2`, from the constant term up.
    const EXP: &'static [Self];
    /// `(ln((1 + s) / (1 − s)) − 2s) / s³` in `s²`, for `|s| <= (√2 − 1) / (√2 + 1)`.
    const LN: &'static [Self];
    /// The same, for `|s| <= ⅓`.
    const LN_1P: &'static [Self];
    /// `(tanh(x) / x − 1) / x²` in `x²`, for `|x| <= ½`.
    const TANH_SMALL: &'static [Self];
    /// `erf(x) / x − 1` in `x²`, for `|x| <= 1`.
    const ERF_SMALL: &'static [Self];
    /// `−ln(1 − erf x)` in `x − 1`, for `1 <= x <= ERF_MAX`.
    const ERF_LARGE: &'static [Self];
}

impl Float for f32 {
    const MANTISSA_BITS: u32 = 23;
    const MANTISSA: u32 = (1 << 23) - 1;
    const ONE_BITS: u32 = 1_f32.to_bits();
    const HALF_BITS: u32 = 0.5_f32.to_bits();
    const ROOT_HALF_BITS: u32 = core::f32::consts::FRAC_1_SQRT_2.to_bits();
    const ONE_LESS_ROOT_HALF_BITS: u32 = Self::ONE_BITS - Self::ROOT_HALF_BITS;
    const INTEGERS_BITS: u32 = Self::INTEGERS.to_bits();
    const INTEGERS: f32 = 8_388_608.0;
    const ROUNDER: f32 = 1.5 * Self::INTEGERS;
    const BIAS: f32 = 127.0;
    const MIN_POSITIVE: f32 = f32::MIN_POSITIVE;
    const RAISE: f32 = 33_554_432.0;
    const RAISE_EXPONENT: f32 = 25.0;
    const INFINITY: f32 = f32::INFINITY;
    const NAN: f32 = f32::NAN;
    const LOG2_E: f32 = core::f32::consts::LOG2_E;
    const LN_2_HIGH: f32 = 0.693_145_75;
    const LN_2_LOW: f32 = 1.428_606_8e-6;
    const EXP_MIN: f32 = -104.0;
    const EXP_MAX: f32 = 89.0;
    const TANH_MAX: f32 = 20.0;
    const SIGMOID_MAX: f32 = 20.0;
    const SIGMOID_SCALE: f32 = 1.0 / (1_u32 << 30) as f32;
    const SIGMOID_SCALE_BITS: u32 = Self::SIGMOID_SCALE.to_bits();
    const ERF_MAX: f32 = 4.0;
    const EXP: &'static [f32] = &[0.5, 0.166_665_42, 0.041_666_277, 0.008_366_755, 0.001_394_674_9];
    const LN: &'static [f32] = &[0.666_666_6, 0.400_009_72, 0.284_987_87, 0.242_790_79];
    const LN_1P: &'static [f32] = &[0.666_666_75, 0.399_989_8, 0.286_143_57, 0.214_526_24, 0.242_141_3];
    const TANH_SMALL: &'static [f32] = &[-0.333_333_2, 0.133_326_02, -0.053_853_86, 0.021_077_76, -0.006_282_474];
    const ERF_SMALL: &'static [f32] =
        &[0.128_379_17, -0.376_126_26, 0.112_835_854, -0.026_853_811, 0.005_188_327_8, -0.000_801_019_4, 7.853_861e-5];
    const ERF_LARGE: &'static [f32] =
        &[1.849_605_6, 2.638_966_8, 0.843_117_6, 0.041_503_496, -0.009_895_46, 0.001_829_382_4, -0.000_186_378_97];
}

impl Float for f64 {
    const MANTISSA_BITS: u32 = 52;
    const MANTISSA: u64 = (1 << 52) - 1;
    const ONE_BITS: u64 = 1_f64.to_bits();
    const HALF_BITS: u64 = 0.5_f64.to_bits();
    const ROOT_HALF_BITS: u64 = core::f64::consts::FRAC_1_SQRT_2.to_bits();
    const ONE_LESS_ROOT_HALF_BITS: u64 = Self::ONE_BITS - Self::ROOT_HALF_BITS;
    const INTEGERS_BITS: u64 = Self::INTEGERS.to_bits();
    const INTEGERS: f64 = 4_503_599_627_370_496.0;
    const ROUNDER: f64 = 1.5 * Self::INTEGERS;
    const BIAS: f64 = 1023.0;
    const MIN_POSITIVE: f64 = f64::MIN_POSITIVE;
    const RAISE: f64 = 18_014_398_509_481_984.0;
    const RAISE_EXPONENT: f64 = 54.0;
    const INFINITY: f64 = f64::INFINITY;
    const NAN: f64 = f64::NAN;
    const LOG2_E: f64 = core::f64::consts::LOG2_E;
    const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    const EXP_MIN: f64 = -746.0;
    const EXP_MAX: f64 = 710.0;
    const TANH_MAX: f64 = 40.0;
    const SIGMOID_MAX: f64 = 40.0;
    const SIGMOID_SCALE: f64 = 1.0 / (1_u64 << 60) as f64;
    const SIGMOID_SCALE_BITS: u64 = Self::SIGMOID_SCALE.to_bits();
    const ERF_MAX: f64 = 6.0;
    const EXP: &'static [f64] = &[
        0.500_000_000_000_000_6,
        0.166_666_666_666_666_85,
        0.041_666_666_666_571_69,
        0.008_333_333_333_314_211,
        0.001_388_888_893_305_545_9,
        0.000_198_412_699_039_722_48,
        2.480_150_358_856_886e-5,
        2.755_722_702_540_680_7e-6,
        2.762_668_277_995_747_5e-7,
        2.511_479_033_875_010_4e-8,
    ];
    const LN: &'static [f64] = &[
        6.666_666_666_666_735e-1,
        3.999_999_999_940_942e-1,
        2.857_142_874_366_239e-1,
        2.222_219_843_214_978_4e-1,
        1.818_357_216_161_805e-1,
        1.531_383_769_920_937_3e-1,
        1.479_819_860_511_658_6e-1,
    ];
    const LN_1P: &'static [f64] = &[
        0.666_666_666_666_665_1,
        0.400_000_000_000_968_25,
        0.285_714_285_543_972,
        0.222_222_236_102_936_93,
        0.181_817_553_436_286_84,
        0.153_863_374_522_139_96,
        0.133_036_736_921_786_7,
        0.120_861_741_214_482_5,
        0.084_217_701_872_079_2,
        0.168_756_759_668_232_12,
    ];
    const TANH_SMALL: &'static [f64] = &[
        -0.333_333_333_333_333,
        0.133_333_333_333_190_6,
        -0.053_968_253_955_392_87,
        0.021_869_488_025_951_78,
        -0.008_863_224_503_832_371,
        0.003_591_984_649_399_338,
        -0.001_454_658_308_168_885,
        0.000_583_863_912_507_933_5,
        -0.000_218_870_740_603_249_5,
        5.761_786_489_802_961e-5,
    ];
    const ERF_SMALL: &'static [f64] = &[
        0.128_379_167_095_512_56,
        -0.376_126_389_031_835_2,
        0.112_837_916_709_441_85,
        -0.026_866_170_643_111_46,
        0.005_223_977_606_118_426,
        -0.000_854_832_592_931_189_3,
        0.000_120_552_935_768_161_74,
        -1.492_471_230_029_015e-5,
        1.644_713_154_912_601_3e-6,
        -1.620_631_358_318_719_8e-7,
        1.371_097_962_044_563_5e-8,
        -7.779_467_009_284_168e-10,
    ];
    const ERF_LARGE: &'static [f64] = &[
        1.849_605_509_933_248_5,
        2.638_967_514_234_732,
        0.843_107_256_361_853,
        0.041_561_097_972_687_24,
        -0.010_033_824_605_621_102,
        0.001_977_897_519_242_840_7,
        -0.000_237_301_160_645_797_98,
        -2.633_904_007_042_648_6e-5,
        2.728_274_750_031_349_2e-5,
        -9.789_308_436_322_582e-6,
        2.252_700_087_565_329_3e-6,
        -2.952_043_170_645_393e-7,
        -8.734_971_682_255_1e-9,
        1.410_129_170_464_554_5e-8,
        -3.250_811_548_805_985e-9,
        3.685_682_035_016_050_4e-10,
        -1.770_538_239_007_189e-11,
    ];
}
