//! Rules of a test suite, each with a name and a sentence.

/// Makes an enum of rules.
///
/// Input: `pub enum JournalRule { Order = "order", "entries are read in order"; … }`.
/// Output: the enum, `ALL`, `name`, and `Display` with the sentence.
macro_rules! rules {
    ($(#[$attribute:meta])* pub enum $type:ident {
        $($(#[$doc:meta])* $rule:ident = $name:literal, $text:literal;)*
    }) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $type {
            $($(#[$doc])* #[doc = concat!("`", $name, "`: ", $text, ".")] $rule,)*
        }

        impl $type {
            /// All rules, in the order in which the suite checks them.
            pub const ALL: &'static [Self] = &[$(Self::$rule),*];

            /// A short name, for tables.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$rule => $name,)*
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self {
                    $(Self::$rule => $text,)*
                })
            }
        }
    };
}

pub(super) use rules;
