//! What bytes may not do to the decoders of crypt and md5.

use node::codec::crypt::des::{Key, Padding};
use node::codec::crypt::{base64, exchange, hash, hex};
use node::codec::md5::{self, cipher};

/// Gives the bytes to every decoder.
pub(crate) fn examine(bytes: &[u8]) {
    let mut out = Vec::new();
    if base64::decode(&mut out, bytes).is_ok() {
        // What was read is written in the same or a shorter form.
        let mut text = Vec::new();
        base64::encode(&mut text, &out);
        assert!(text.len() <= bytes.len() + 2);
    }
    out.clear();
    if hex::decode(&mut out, bytes).is_ok() {
        let mut text = Vec::new();
        hex::encode(&mut text, &out);
        assert_eq!(text, bytes);
    }
    let key = bytes.first_chunk::<8>().copied().unwrap_or_default();
    for padding in [Padding::Iso7816, Padding::Pkcs7] {
        out.clear();
        if Key::new(key).decrypt(&mut out, bytes, padding).is_ok() {
            let mut again = Vec::new();
            Key::new(key).encrypt(&mut again, &out, padding);
            assert_eq!(again, bytes);
        }
    }
    out.clear();
    let _ = cipher::decrypt(&mut out, bytes, &key);
    let number = u64::from_le_bytes(key);
    assert_eq!(
        exchange::shared(number, 2),
        exchange::shared(number, 1).and_then(|one| { exchange::shared(one, 2) })
    );
    let _ = (hash::key_of(bytes), hash::hmac_sha1(bytes, bytes), md5::hmac(bytes, bytes));
}
