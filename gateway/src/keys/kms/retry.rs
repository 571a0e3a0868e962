//! How long the gateway waits for a KMS.

use std::time::Duration;

use tokio::time::Instant;

use crate::keys::kms::KeyServiceError;

/// How a KMS is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How long one call may take.
    pub call: Duration,
    /// How long a call and its repetitions may take together.
    pub total: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            call: Duration::from_secs(1),
            total: Duration::from_secs(3),
        }
    }
}

impl RetryPolicy {
    /// Calls until there is an answer, or retry ends. Only a KMS that was not reached is called
    /// again: an exception is an answer.
    pub(super) async fn call<T, F>(&self, attempt: impl Fn() -> F) -> Result<T, KeyServiceError>
    where
        F: Future<Output = Result<T, KeyServiceError>>,
    {
        let give_up = Instant::now() + self.total;
        let mut pause = FIRST_PAUSE;
        loop {
            let limit = (Instant::now() + self.call).min(give_up);
            let outcome = tokio::time::timeout_at(limit, attempt()).await;
            let failure = match outcome {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(failure)) => failure,
                Err(_) => KeyServiceError::Unreachable("no answer in time".to_owned()),
            };
            let unreached = matches!(failure, KeyServiceError::Unreachable(_));
            if !unreached || Instant::now() + pause >= give_up {
                return Err(failure);
            }
            tokio::time::sleep(pause).await;
            pause *= 4;
        }
    }
}

/// Pause before a KMS that was not reached is called again; four times as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(25);

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Duration;

    use super::FIRST_PAUSE;
    use super::RetryPolicy;
    use crate::keys::kms::KeyServiceError;

    /// What an attempt gives, and how often it was made.
    async fn tried<F>(
        retry: RetryPolicy,
        attempt: impl Fn(u32) -> F,
    ) -> (Result<u32, KeyServiceError>, u32)
    where
        F: Future<Output = Result<u32, KeyServiceError>>,
    {
        let count = Cell::new(0);
        let outcome = retry
            .call(|| {
                count.set(count.get() + 1);
                attempt(count.get())
            })
            .await;
        (outcome, count.get())
    }

    fn unreachable() -> Result<u32, KeyServiceError> {
        Err(KeyServiceError::Unreachable("gone".to_owned()))
    }

    #[tokio::test]
    async fn an_exception_is_an_answer_and_is_not_asked_for_again() {
        let throttled = |_| async { Err(KeyServiceError::Throttled) };
        let outcome = tried(RetryPolicy::default(), throttled).await;
        assert_eq!(outcome, (Err(KeyServiceError::Throttled), 1));
        let failure = || KeyServiceError::refused("KMSInternalException", "on purpose");
        let failed = tried(RetryPolicy::default(), |_| async { Err(failure()) }).await;
        assert_eq!(failed, (Err(failure()), 1));
        assert!(!failure().to_string().contains("reachable"));
    }

    #[tokio::test]
    async fn a_kms_that_comes_back_is_called_again() {
        let attempt = |count| async move { if count < 2 { unreachable() } else { Ok(count) } };
        assert_eq!(tried(RetryPolicy::default(), attempt).await, (Ok(2), 2));
    }

    #[tokio::test]
    async fn a_kms_that_is_gone_or_silent_is_given_up() {
        let retry = RetryPolicy {
            call: Duration::from_millis(1),
            total: FIRST_PAUSE,
        };
        let gone = tried(retry, |_| async { unreachable() }).await;
        assert_eq!(gone, (unreachable(), 1));
        let (silent, _) = tried(retry, |_| std::future::pending()).await;
        assert!(matches!(silent, Err(KeyServiceError::Unreachable(_))));
    }
}
