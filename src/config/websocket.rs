//! The keys about WebSocket connections.
//!
//! Invariant: as `Settings`: whoever holds it checks nothing again.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::error::ConfigError;
use super::settings::Reader;

/// KiB of a frame or message: up to what fits into a Lua string here.
const KIBIBYTES: RangeInclusive<u64> = 1..=1_048_576;

/// Seconds for a step of a handshake: one tick to one hour.
const STEP: RangeInclusive<f64> = 0.01..=3_600.0;

/// Seconds of silence; 0 never asks.
const SILENCE: RangeInclusive<f64> = 0.0..=86_400.0;

/// What the config says about WebSocket connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebSocketKeys {
    /// `websocket_frame_limit`, in KiB.
    pub frame: usize,
    /// `websocket_message_limit`, in KiB.
    pub message: usize,
    /// `websocket_write_limit`, in KiB.
    pub write: usize,
    /// `websocket_handshake_timeout`.
    pub handshake: Duration,
    /// `websocket_close_timeout`.
    pub close: Duration,
    /// `websocket_ping`; zero never asks.
    pub ping: Duration,
    /// `websocket_accept_unmasked`.
    pub accept_unmasked: bool,
}

impl WebSocketKeys {
    pub(super) fn read(reader: &Reader<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            frame: reader.integer("websocket_frame_limit", &KIBIBYTES)?,
            message: reader.integer("websocket_message_limit", &KIBIBYTES)?,
            write: reader.integer("websocket_write_limit", &KIBIBYTES)?,
            handshake: reader.seconds("websocket_handshake_timeout", &STEP)?,
            close: reader.seconds("websocket_close_timeout", &STEP)?,
            ping: reader.seconds("websocket_ping", &SILENCE)?,
            accept_unmasked: reader.boolean("websocket_accept_unmasked")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::load_text;

    #[test]
    fn the_limits_have_defaults_and_ranges() {
        let keys = load_text("").unwrap().settings.websocket_keys;
        assert_eq!((keys.frame, keys.message, keys.write), (256, 256, 8192));
        assert_eq!(keys.ping, Duration::from_secs(60));
        let keys = load_text("websocket_ping = 0").unwrap().settings.websocket_keys;
        assert!(keys.ping.is_zero());
        for text in ["websocket_frame_limit = 0", "websocket_close_timeout = 0"] {
            let error = load_text(text).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
    }
}
