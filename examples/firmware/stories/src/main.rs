//! Writes a children's story on a microcontroller: a Llama of 260,000 parameters, read in place from flash.
#![no_std]
#![no_main]

#[path = "../../../stories/net.rs"]
mod net;

use firmware::{exit, fail, measure, print_number, write};
use monomorph::Noise;
use monomorph::memory::zeroed;
use monomorph::sampling::Sampling;
use monomorph::weights::blob::Aligned;
use net::{Stories, StoriesState, Tokens, tell};
use static_cell::ConstStaticCell;

static BLOB: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/stories.blob")));
static TOKENS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/tokens.bin"));
static STATE: ConstStaticCell<StoriesState> = ConstStaticCell::new(zeroed());

const STEPS: usize = 200;

#[firmware::entry]
fn main() -> ! {
    let (Ok(net), Some(tokens), Some(state)) = (Stories::from_bytes(&BLOB.0), Tokens::read(TOKENS), STATE.try_take())
    else {
        fail()
    };
    let text = |bytes: &[u8]| write(core::str::from_utf8(bytes).unwrap_or("?"));
    tell(net, state, tokens, STEPS, Sampling::GREEDY, &mut Noise::new(1), text);
    write("\n");
    print_number("# tokens", STEPS as u32);
    measure(1, || {
        tell(net, state, tokens, STEPS, Sampling::GREEDY, &mut Noise::new(1), |_| ());
    });
    exit()
}
