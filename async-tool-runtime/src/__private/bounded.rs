//! Types that can have `min` and `max`.

use std::num::NonZero;

use serde_json::Value;

/// Refuses a type that can't have `min` and `max`, at the user's type.
pub const fn bounded<T: Bounded>() {}

/// Number that can have `min` and `max`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't have `min` and `max`",
    label = "isn't a number of at most 64 bits, or an `Option` of one",
    note = "say the length of a text or list with `min_len` and `max_len`",
    note = "where the schema of a type of your own is a number, write `#[schemars(range(min = …, max = …))]`"
)]
pub trait Bounded {
    /// Type of the bounds.
    type Number;

    /// The bound as JSON; `None` if it isn't finite.
    fn to_json(bound: Self::Number) -> Option<Value>;
}

macro_rules! bounded {
    ($($number:ty)*) => {$(
        #[diagnostic::do_not_recommend]
        impl Bounded for $number {
            type Number = Self;

            fn to_json(bound: Self) -> Option<Value> {
                // Through decimal digits: `0.1_f32` means 0.1, and not the nearest value of 32 bits.
                bound.to_string().parse().ok().map(Value::Number)
            }
        }
    )*};
}

bounded!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize f32 f64);

macro_rules! bounded_unless_zero {
    ($($number:ty)*) => {$(
        #[diagnostic::do_not_recommend]
        impl Bounded for NonZero<$number> {
            type Number = $number;

            fn to_json(bound: $number) -> Option<Value> {
                <$number>::to_json(bound)
            }
        }
    )*};
}

bounded_unless_zero!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize);

#[diagnostic::do_not_recommend]
impl<T: Bounded> Bounded for Option<T> {
    type Number = T::Number;

    fn to_json(bound: T::Number) -> Option<Value> {
        T::to_json(bound)
    }
}
