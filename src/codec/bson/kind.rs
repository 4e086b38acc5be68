//! Kinds of elements.

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal,)*) => {
        /// The kind of an element, as its first byte says.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Kind {
            $($(#[$doc])* $name = $number,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The kind with a number.
            #[inline]
            pub const fn from_number(number: u8) -> Option<Self> {
                match number {
                    $($number => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// Its number.
            #[inline]
            pub const fn number(self) -> u8 {
                self as u8
            }
        }
    };
}

kinds! {
    /// A float.
    Double = 1,
    /// A text.
    String = 2,
    /// A document inside this one.
    Document = 3,
    /// The same with the keys 0, 1, 2 …
    Array = 4,
    /// Bytes, and what sort of them.
    Binary = 5,
    /// Twelve bytes that name a document.
    ObjectId = 7,
    /// A truth value.
    Boolean = 8,
    /// Milliseconds since 1970.
    Date = 9,
    /// Nothing.
    Null = 10,
    /// A pattern and its options.
    Regex = 11,
    /// A name and an object id; no longer used.
    DbPointer = 12,
    /// A program.
    Code = 13,
    /// A text; no longer used.
    Symbol = 14,
    /// A program and its variables; no longer used.
    CodeWithScope = 15,
    /// An integer of 32 bits.
    Int32 = 16,
    /// A time of the server's own.
    Timestamp = 17,
    /// An integer of 64 bits.
    Int64 = 18,
    /// More than any other value.
    MaxKey = 127,
    /// Less than any other value.
    MinKey = 255,
}

impl Kind {
    /// Bytes of a value, of those kinds whose values all have as many.
    pub const fn width(self) -> Option<usize> {
        Some(match self {
            Self::Boolean => 1,
            Self::Int32 => 4,
            Self::Double | Self::Date | Self::Timestamp | Self::Int64 => 8,
            Self::ObjectId => 12,
            Self::Null | Self::MinKey | Self::MaxKey => 0,
            _ => return None,
        })
    }
}
