//! Lists of ciphers as OpenSSL writes them: `ECDHE-RSA-AES256-GCM-SHA384:!CHACHA20`.
//!
//! As there, they are about TLS 1.2; the ciphers of TLS 1.3 stay.
//! Invariant: what is not offered here at all (everything weak) can be named and has no effect.

use std::sync::Arc;

use tokio_rustls::rustls::CipherSuite;
use tokio_rustls::rustls::crypto::CryptoProvider;

use super::provider;

/// The ciphers of TLS 1.2 that are offered, by OpenSSL's names.
const NAMES: [(&str, CipherSuite); 6] = [
    ("ECDHE-ECDSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-ECDSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ("ECDHE-RSA-AES256-GCM-SHA384", CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ("ECDHE-RSA-AES128-GCM-SHA256", CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-RSA-CHACHA20-POLY1305", CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
];

/// Words that stand for all of them.
const ALL: [&str; 5] = ["ALL", "DEFAULT", "HIGH", "COMPLEMENTOFDEFAULT", "SECLEVEL"];

/// True when `word` of a list stands for the cipher called `name`: it is its name, or all its
/// parts, which a `+` combines, occur in it.
fn stands_for(word: &str, name: &str) -> bool {
    let part = |part: &str| {
        let part = if part == "EECDH" { "ECDHE" } else { part };
        ALL.contains(&part)
            || part == "TLSv1.2"
            || part == "AESGCM" && name.contains("-GCM-")
            || part == "AES" && name.contains("-AES")
            || part == "aRSA" && name.contains("-RSA-")
            || part == "aECDSA" && name.contains("-ECDSA-")
            || name.split('-').any(|own| own == part)
    };
    word == name || word.split('+').all(part)
}

/// The provider with the ciphers of `list`.
pub(super) fn provider_with(list: Option<&str>) -> Result<Arc<CryptoProvider>, String> {
    let Some(list) = list else { return Ok(provider()) };
    let mut wanted: Vec<&(&str, CipherSuite)> = Vec::new();
    for word in list.split([':', ',', ' ']).filter(|word| !word.is_empty()) {
        if let Some(word) = word.strip_prefix(['!', '-']) {
            wanted.retain(|(name, _)| !stands_for(word, name));
        } else if !word.starts_with(['@', '+']) {
            let new = NAMES.iter().filter(|(name, _)| stands_for(word, name));
            let new: Vec<_> = new.filter(|cipher| !wanted.contains(cipher)).collect();
            wanted.extend(new);
        }
    }
    if wanted.is_empty() {
        return Err(format!("TLS: no cipher of `{list}` is offered here"));
    }
    let mut provider = CryptoProvider::clone(&provider());
    let place = |suite| wanted.iter().position(|(_, wanted)| *wanted == suite);
    provider
        .cipher_suites
        .retain(|offered| offered.tls13().is_some() || place(offered.suite()).is_some());
    // The order of the list is the order of preference.
    provider.cipher_suites.sort_by_key(|offered| place(offered.suite()));
    Ok(Arc::new(provider))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(list: &str) -> Result<Vec<&'static str>, String> {
        let provider = provider_with(Some(list))?;
        let all = provider.cipher_suites.iter().map(|offered| offered.suite());
        let found = all.map(|suite| NAMES.iter().find(|(_, own)| *own == suite));
        Ok(found.map(|found| found.map_or("1.3", |(name, _)| name)).collect())
    }

    #[test]
    fn a_list_names_the_ciphers_of_tls_1_2_in_their_order() {
        let two = "ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384";
        let expected = ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"];
        assert_eq!(offered(two).unwrap()[3..], expected);
        assert_eq!(offered(two).unwrap()[..3], ["1.3"; 3]);
        let expected = ["ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"];
        assert_eq!(offered("HIGH:!aNULL:!MD5:!AESGCM").unwrap()[3..], expected);
        assert_eq!(offered("EECDH+AESGCM:EDH+AESGCM").unwrap().len(), 3 + 4);
        assert_eq!(offered("HIGH:!aNULL:@STRENGTH").unwrap().len(), 3 + 6);
    }

    #[test]
    fn a_list_without_an_offered_cipher_is_an_error() {
        let why = "TLS: no cipher of `RC4-MD5:AES128-SHA` is offered here";
        assert_eq!(offered("RC4-MD5:AES128-SHA").unwrap_err(), why);
        assert!(offered("HIGH:!ALL").is_err());
    }
}
