//! Where the plain part of a JSON string ends: sixteen bytes at a time, since most of a tap's bytes
//! are in strings.

use wide::u8x16;

const BLOCK: usize = 16;

/// The first byte from `start` on that cannot stand in a string as it is: a quote, a backslash or a
/// control character; else the end.
pub(super) fn end_of_plain(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(block) = text.get(at..).and_then(<[u8]>::first_chunk) {
        let special = special_bits(*block);
        if special != 0 {
            return at + special.trailing_zeros() as usize;
        }
        at += BLOCK;
    }
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().position(is_special).unwrap_or(rest.len())
}

/// A bit for each byte of a block, the lowest for the first.
#[inline(always)]
fn special_bits(block: [u8; BLOCK]) -> u32 {
    const LAST_CONTROL: u8 = 0x1f;
    let bytes = u8x16::new(block);
    let equal = |byte| bytes.simd_eq(u8x16::splat(byte));
    let controls = bytes.min(u8x16::splat(LAST_CONTROL)).simd_eq(bytes);
    (equal(b'"') | equal(b'\\') | controls).to_bitmask()
}

fn is_special(byte: &u8) -> bool {
    *byte < 0x20 || matches!(byte, b'"' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_a_bit_for_each_special_byte() {
        for byte in 0..=255 {
            for place in 0..BLOCK {
                let mut block = [b'a'; BLOCK];
                block[place] = byte;
                let expected = u32::from(is_special(&byte)) << place;
                assert_eq!(special_bits(block), expected, "{block:?}");
            }
        }
    }

    #[test]
    fn it_ends_with_the_text() {
        for length in 0..40 {
            let text = "x".repeat(length);
            for start in 0..=length + 1 {
                assert_eq!(end_of_plain(text.as_bytes(), start), length.max(start));
            }
            let text = format!("{text}\"{text}");
            assert_eq!(end_of_plain(text.as_bytes(), 0), length);
        }
    }
}
