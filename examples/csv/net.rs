//! The network, for the program that trains it and for the firmware.

use monomorph::prelude::*;

network! {
    /// What state a pump is in, from a sensor's values as they come: degrees Celsius, milliamperes, thousandths of the
    /// earth's acceleration, revolutions per minute.
    #[budget(flash = "1 KiB", ram = "256 B")]
    pub Pump: [4] -> [3] { Normalize, Dense(16), Tanh, Dense(3) }
}

/// The states, in the order of the network's outputs.
pub const STATES: [&str; 3] = ["ok", "worn", "blocked"];
