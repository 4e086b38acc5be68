//! Base64 as clients of skynet write it: padded, and read with foreign characters skipped.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Characters of twelve bits at once.
static PAIRS: [[u8; 2]; 4096] = {
    let mut table = [[0; 2]; 4096];
    let mut bits = 0;
    while bits < table.len() {
        table[bits] = [ALPHABET[bits >> 6], ALPHABET[bits & 63]];
        bits += 1;
    }
    table
};

/// What a character stands for: six bits, padding, or nothing.
static VALUES: [u8; 256] = {
    let mut table = [FOREIGN; 256];
    let mut value = 0;
    while value < 64_u8 {
        table[ALPHABET[value as usize] as usize] = value;
        value += 1;
    }
    table[b'=' as usize] = PADDING;
    table
};

const PADDING: u8 = 64;
const FOREIGN: u8 = 128;

/// The text is not base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Invalid base64 text")]
pub struct Invalid;

/// Appends the text of `bytes`.
pub fn encode(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, b'=');
    let (threes, rest) = bytes.as_chunks::<3>();
    let (fours, last) = out[start..].split_at_mut(threes.len() * 4);
    for (place, three) in fours.as_chunks_mut::<4>().0.iter_mut().zip(threes) {
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        place[..2].copy_from_slice(&PAIRS[(bits >> 12) as usize]);
        place[2..].copy_from_slice(&PAIRS[(bits & 0xfff) as usize]);
    }
    let character = |value: u8| ALPHABET[usize::from(value & 63)];
    match *rest {
        [one] => last[..2].copy_from_slice(&[character(one >> 2), character(one << 4)]),
        [one, two] => last[..3].copy_from_slice(&[
            character(one >> 2),
            character(one << 4 | two >> 4),
            character(two << 2),
        ]),
        _ => {}
    }
}

/// Appends the bytes that `text` holds. Padding that is missing at the end is taken as given.
///
/// # Errors
/// When characters are missing, padding stands where none can, or bits are left over.
pub fn decode(out: &mut Vec<u8>, text: &[u8]) -> Result<(), Invalid> {
    out.reserve(text.len() / 4 * 3 + 3);
    let mut rest = text;
    loop {
        rest = decode_plain(out, rest);
        let mut four = [PADDING; 4];
        let mut known = 0;
        while known < 4 {
            let Some((character, after)) = rest.split_first() else { break };
            rest = after;
            let value = VALUES[usize::from(*character)];
            if value != FOREIGN {
                four[known] = value;
                known += 1;
            }
        }
        if known == 0 {
            return Ok(());
        }
        decode_four(out, four)?;
    }
}

/// Appends what the characters at the beginning stand for, as long as none is foreign or padding;
/// the rest of the text.
fn decode_plain<'a>(out: &mut Vec<u8>, text: &'a [u8]) -> &'a [u8] {
    /// Characters whose bytes are written in one go.
    const BLOCK: usize = 16;
    let mut rest = text;
    while let Some((block, after)) = rest.split_first_chunk::<BLOCK>() {
        let values = block.map(|character| VALUES[usize::from(character)]);
        if values.iter().fold(0, |seen, value| seen | value) >= PADDING {
            break;
        }
        let mut bytes = [0; BLOCK / 4 * 3];
        for (place, four) in bytes.as_chunks_mut::<3>().0.iter_mut().zip(values.as_chunks::<4>().0)
        {
            *place = join(*four);
        }
        out.extend_from_slice(&bytes);
        rest = after;
    }
    rest
}

fn join(four: [u8; 4]) -> [u8; 3] {
    let [a, b, c, d] = four.map(u32::from);
    let [_, one, two, three] = (a << 18 | b << 12 | c << 6 | d).to_be_bytes();
    [one, two, three]
}

fn decode_four(out: &mut Vec<u8>, four: [u8; 4]) -> Result<(), Invalid> {
    let [a, b, c, d] = four;
    match [a, b, c, d].map(|value| value == PADDING) {
        [false, false, false, false] => out.extend_from_slice(&join(four)),
        [false, false, false, true] if c & 3 == 0 => {
            out.extend_from_slice(&join([a, b, c, 0])[..2]);
        }
        [false, false, true, true] if b & 15 == 0 => {
            out.extend_from_slice(&join([a, b, 0, 0])[..1]);
        }
        _ => return Err(Invalid),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        encode(&mut out, bytes);
        String::from_utf8(out).unwrap()
    }

    fn decoded(text: &str) -> Result<Vec<u8>, Invalid> {
        let mut out = Vec::new();
        decode(&mut out, text.as_bytes()).map(|()| out)
    }

    #[test]
    fn the_examples_of_the_standard() {
        let examples = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (bytes, text) in examples {
            assert_eq!(encoded(bytes.as_bytes()), text);
            assert_eq!(decoded(text).as_deref(), Ok(bytes.as_bytes()));
            // Missing padding is tolerated.
            assert_eq!(decoded(text.trim_end_matches('=')).as_deref(), Ok(bytes.as_bytes()));
        }
    }

    #[test]
    fn every_length_comes_back_with_foreign_characters_between() {
        for length in 0..100_usize {
            let bytes: Vec<u8> = (0..=u8::MAX).cycle().step_by(37).take(length).collect();
            let text = encoded(&bytes);
            assert_eq!(decoded(&text), Ok(bytes.clone()));
            let spaced: String =
                text.chars().flat_map(|character| [character, '\n', '-']).collect();
            assert_eq!(decoded(&spaced), Ok(bytes));
        }
    }

    #[test]
    fn misplaced_padding_and_leftover_bits_are_refused() {
        for text in ["Z", "Z===", "=", "====", "Zg=v", "Zh==", "Zm9=", "Z=g=", "Zm9vZ", "=Zg="] {
            assert_eq!(decoded(text), Err(Invalid), "{text}");
        }
    }
}
