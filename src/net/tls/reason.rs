//! Why a TLS connection failed, in words for whoever runs the node.
//!
//! Invariant: one line, lower case, no full stop, without the library's names for things.

use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, Error, InvalidMessage, PeerIncompatible,
};

use super::certificate::show_time;

/// The words for `error`.
pub(super) fn of(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => certificate(error),
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => "not a TLS record".to_owned(),
        Error::InvalidMessage(message) => format!("malformed TLS message ({message:?})"),
        Error::AlertReceived(alert) => format!("the peer refused: {}", of_alert(*alert)),
        Error::PeerIncompatible(why) => incompatible(why),
        Error::NoCertificatesPresented => "the peer has shown no certificate".to_owned(),
        Error::DecryptError => "a TLS record was altered on its way".to_owned(),
        Error::PeerSentOversizedRecord => "a TLS record is too long".to_owned(),
        Error::PeerMisbehaved(what) => format!("the peer broke the rules of TLS ({what:?})"),
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "a TLS message out of order".to_owned()
        }
        other => format!("TLS: {other}"),
    }
}

fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired => "the certificate has expired".to_owned(),
        CertificateError::ExpiredContext { time, not_after } => {
            format!("the certificate has expired on {} (now {})", date(*not_after), date(*time))
        }
        CertificateError::NotValidYet => "the certificate is not valid yet".to_owned(),
        CertificateError::NotValidYetContext { time, not_before } => {
            let (from, now) = (date(*not_before), date(*time));
            format!("the certificate is not valid before {from} (now {now})")
        }
        CertificateError::UnknownIssuer => {
            "the certificate is signed by no known authority (unknown issuer)".to_owned()
        }
        CertificateError::NotValidForName => "the certificate is for another name".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            // The library writes names with their kind around them: DnsName("a.example").
            let names: Vec<&str> = presented.iter().map(|name| inner(name)).collect();
            let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
            format!("the certificate is for {names}, not for {}", expected.to_str())
        }
        CertificateError::BadSignature => {
            "the signature is not of the certificate's key".to_owned()
        }
        CertificateError::BadEncoding => "the certificate is malformed".to_owned(),
        CertificateError::Revoked => "the certificate is revoked".to_owned(),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the certificate is for another purpose".to_owned()
        }
        CertificateError::UnhandledCriticalExtension => {
            "the certificate has a critical extension that is not understood".to_owned()
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "the certificate is signed in a way that is not supported".to_owned()
        }
        // The verifier has this only as text.
        other if other.to_string().contains("CaUsedAsEndEntity") => {
            "the certificate is one of an authority (CA:TRUE) and not itself among the trusted"
                .to_owned()
        }
        other => format!("the certificate is not accepted: {other}"),
    }
}

fn inner(name: &str) -> &str {
    let inside = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inside.map_or(name, |name| name.trim_matches('"'))
}

fn date(time: UnixTime) -> String {
    show_time(i64::try_from(time.as_secs()).unwrap_or(i64::MAX / 2))
}

fn incompatible(why: &PeerIncompatible) -> String {
    match why {
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::SupportedVersionsExtensionRequired
        // What a client of TLS 1.1 lacks first.
        | PeerIncompatible::SignatureAlgorithmsExtensionRequired
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled => {
            "the peer speaks no common version of TLS (1.2 and 1.3 are spoken here)".to_owned()
        }
        PeerIncompatible::NoCipherSuitesInCommon => {
            "there is no cipher that both sides know".to_owned()
        }
        other => format!("there is no common way of TLS with the peer ({other:?})"),
    }
}

fn of_alert(alert: AlertDescription) -> String {
    let text = match alert {
        AlertDescription::ProtocolVersion => "no common version of TLS",
        AlertDescription::HandshakeFailure => "nothing in common (version, cipher or certificate)",
        AlertDescription::UnknownCA => "it does not know the authority of the certificate",
        AlertDescription::CertificateExpired => "the certificate has expired",
        AlertDescription::CertificateRevoked => "the certificate is revoked",
        AlertDescription::CertificateRequired => "it wants a certificate",
        AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate => "it does not accept the certificate",
        AlertDescription::UnrecognisedName => "it does not know the name it was called by",
        AlertDescription::AccessDenied => "access is denied",
        AlertDescription::NoApplicationProtocol => "no common application protocol",
        other => return format!("{other:?}"),
    };
    text.to_owned()
}
