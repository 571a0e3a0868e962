//! Histograms as HdrHistogram's V2 writes them, compressed, in base64: the form that its tools of every language
//! read and add up.
//!
//! Source: `AbstractHistogram.encodeIntoCompressedByteBuffer` and `ZigZagEncoding` of
//! <https://github.com/HdrHistogram/HdrHistogram>.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use hdrhistogram::Histogram;

/// The histogram as text.
///
/// # Errors
///
/// When memory is short.
pub(super) fn text(histogram: &Histogram<u64>) -> std::io::Result<String> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(&encoded(histogram))?;
    let compressed = zlib.finish()?;
    let mut bytes = COMPRESSED.to_be_bytes().to_vec();
    bytes.extend(length(compressed.len()).to_be_bytes());
    bytes.extend(compressed);
    Ok(STANDARD.encode(bytes))
}

/// The histogram, not compressed.
fn encoded(histogram: &Histogram<u64>) -> Vec<u8> {
    let counts = histogram.iter_all().map(|it| it.count_at_value());
    let mut counts: Vec<u64> = counts.collect();
    while counts.pop_if(|count| *count == 0).is_some() {}
    let mut payload = Vec::new();
    let mut zeros: i64 = 0;
    for count in counts {
        if count == 0 {
            zeros += 1;
            continue;
        }
        match std::mem::take(&mut zeros) {
            0 => {}
            1 => write_zig_zag(&mut payload, 0),
            zeros => write_zig_zag(&mut payload, -zeros),
        }
        write_zig_zag(&mut payload, i64::try_from(count).unwrap_or(i64::MAX));
    }
    let mut bytes = PLAIN.to_be_bytes().to_vec();
    bytes.extend(length(payload.len()).to_be_bytes());
    // No offset.
    bytes.extend(0_u32.to_be_bytes());
    bytes.extend(u32::from(histogram.sigfig()).to_be_bytes());
    bytes.extend(histogram.low().to_be_bytes());
    bytes.extend(histogram.high().to_be_bytes());
    // The unit: a value of 1 is 1 us.
    bytes.extend(1.0_f64.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Writes a number in 1 to 9 bytes: 7 bits each, the lowest first, and 8 in the ninth.
fn write_zig_zag(bytes: &mut Vec<u8>, number: i64) {
    let mut rest = ((number << 1) ^ (number >> 63)).cast_unsigned();
    for _ in 0..8 {
        let [low, ..] = rest.to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            bytes.push(low & 0x7f);
            return;
        }
        bytes.push(low | 0x80);
    }
    let [low, ..] = rest.to_le_bytes();
    bytes.push(low);
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// What begins a histogram.
const PLAIN: u32 = 0x1c84_9313;

/// What begins a compressed one.
const COMPRESSED: u32 = 0x1c84_9314;

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::ZlibDecoder;

    use super::*;

    #[test]
    fn counts_and_runs_of_zeros_are_numbers_of_seven_bits_a_byte() {
        let mut histogram = Histogram::<u64>::new_with_bounds(1, 600_000_000, 3).unwrap();
        histogram.record_n(0, 1).unwrap();
        histogram.record_n(2, 100).unwrap();
        histogram.record_n(200, 3).unwrap();
        let text = text(&histogram).unwrap();
        assert!(text.starts_with("HISTFA"), "{text}");
        let bytes = STANDARD.decode(text).unwrap();
        let mut plain = Vec::new();
        let mut zlib = ZlibDecoder::new(&bytes[8..]);
        zlib.read_to_end(&mut plain).unwrap();
        let length = plain[4..8]
            .iter()
            .fold(0, |sum, byte| sum * 256 + usize::from(*byte));
        assert_eq!(plain.len(), 40 + length);
        // 1 of 0; none of 1; 100 of 2; none of 197 values; 3 of 200.
        assert_eq!(plain[40..], [2, 0, 0xc8, 1, 0x89, 3, 6]);
    }

    #[test]
    fn the_ninth_byte_has_eight_bits() {
        let mut bytes = Vec::new();
        write_zig_zag(&mut bytes, i64::MIN);
        assert_eq!(bytes, [0xff; 9]);
    }
}
