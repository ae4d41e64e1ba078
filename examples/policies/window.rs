//! Counts of moments within a window.

use std::time::Duration;

use tokio::time::Instant;

/// Largest number of moments within any window of length `span`. The moments must be in order.
pub(crate) fn most_within(moments: &[Instant], span: Duration) -> usize {
    let within = |(index, first): (usize, &Instant)| {
        let from_here = &moments[index..];
        from_here.iter().take_while(|moment| **moment - *first < span).count()
    };
    moments.iter().enumerate().map(within).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_span_may_begin_anywhere() {
        let begin = Instant::now();
        let moments = [0, 900, 950, 1000, 1899, 2500].map(|millis| begin + Duration::from_millis(millis));
        assert_eq!(most_within(&moments, Duration::from_secs(1)), 4);
        assert_eq!(most_within(&moments, Duration::from_millis(50)), 1);
        assert_eq!(most_within(&[], Duration::from_secs(1)), 0);
    }
}
