//! How much may be asked: requests at the same time, and requests a second.
//!
//! Gates have places and buckets of their own, so that nothing else can keep them waiting.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::Extensions;
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::limits::Limits;
use crate::access::{Principal, Scope};
use crate::metrics::InFlightGauge;

/// How long a gate waits for a place. Its answers come from memory, so places are soon free; and
/// a caller that gives up at 10 s must have heard by then.
const GATE_PATIENCE: Duration = Duration::from_secs(2);

/// What kind of request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Class {
    /// Asked by deployment systems, which act on the answer.
    Gate,
    /// Everything else.
    Other,
}

impl Class {
    pub(super) fn of(scope: Scope) -> Self {
        match scope {
            Scope::Gate => Self::Gate,
            Scope::Read | Scope::Operate => Self::Other,
        }
    }
}

/// Whose requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Payer {
    /// The holder of a token, wherever they ask from.
    Principal(Arc<str>),
    /// Whoever shows no good token, by the address that they ask from.
    Peer(IpAddr),
}

impl Payer {
    /// With tokens their holders pay, wherever they ask from; else the address does.
    pub(super) fn of(principal: Option<&Principal>, extensions: &Extensions) -> Self {
        match principal {
            Some(principal) if !principal.is_anonymous() => {
                Self::Principal(principal.shared_name())
            }
            Some(_) | None => {
                let peer = extensions.get::<ConnectInfo<SocketAddr>>();
                let unspecified = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
                Self::peer(peer.map_or(unspecified, |ConnectInfo(peer)| peer.ip()))
            }
        }
    }

    fn peer(address: IpAddr) -> Self {
        Self::Peer(network_of(address))
    }
}

/// What counts as one address: one host of IPv6 has a whole /64 to ask from.
pub(super) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// The limits and how far they are used.
#[derive(Debug)]
pub(super) struct Admission {
    rate: Option<DefaultKeyedRateLimiter<(Payer, Class)>>,
    gates: Places,
    others: Places,
}

#[derive(Debug)]
struct Places {
    free: Semaphore,
    all: usize,
}

impl Places {
    fn new(count: usize) -> Self {
        let all = count.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            free: Semaphore::new(all),
            all,
        }
    }

    fn taken(&self) -> usize {
        self.all.saturating_sub(self.free.available_permits())
    }
}

impl Admission {
    pub(super) fn new(limits: &Limits) -> Self {
        let quota = NonZeroU32::new(limits.requests_per_second).map(|rate| {
            // Less than a second's worth would refuse what the rate allows.
            let burst =
                NonZeroU32::new(limits.burst_requests).map_or(rate, |burst| burst.max(rate));
            Quota::per_second(rate).allow_burst(burst)
        });
        Self {
            rate: quota.map(RateLimiter::keyed),
            gates: Places::new(limits.gates_in_flight),
            others: Places::new(limits.requests_in_flight),
        }
    }

    /// Counts a request.
    ///
    /// # Errors
    ///
    /// How long to wait when the payer has asked too often.
    pub(super) fn count(&self, payer: Payer, class: Class) -> Result<(), Duration> {
        let Some(rate) = &self.rate else {
            return Ok(());
        };
        rate.check_key(&(payer, class))
            .map_err(|not_until| not_until.wait_time_from(DefaultClock::default().now()))
    }

    /// Returns a place for a request of the class, to be held while it is answered; nothing when
    /// all are taken.
    pub(super) async fn place(&self, class: Class) -> Option<SemaphorePermit<'_>> {
        match class {
            Class::Other => self.others.free.try_acquire().ok(),
            Class::Gate => match self.gates.free.try_acquire() {
                Ok(place) => Some(place),
                Err(_all_taken) => tokio::time::timeout(GATE_PATIENCE, self.gates.free.acquire())
                    .await
                    .ok()?
                    .ok(),
            },
        }
    }

    /// How many requests are being answered.
    pub(super) fn in_flight(&self) -> Vec<InFlightGauge> {
        [("gate", &self.gates), ("other", &self.others)]
            .map(|(class, places)| InFlightGauge {
                class,
                requests: places.taken(),
            })
            .into()
    }

    /// Forgets those who have not asked for a while: the memory of their buckets is freed.
    pub(super) fn forget_the_quiet(&self) {
        if let Some(rate) = &self.rate {
            rate.retain_recent();
            rate.shrink_to_fit();
        }
    }

    #[cfg(test)]
    fn remembered(&self) -> usize {
        self.rate.as_ref().map_or(0, RateLimiter::len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(requests_per_second: u32, burst_requests: u32) -> Limits {
        Limits {
            requests_per_second,
            burst_requests,
            requests_in_flight: 1,
            gates_in_flight: 1,
            ..Limits::default()
        }
    }

    fn principal(name: &str) -> Payer {
        Payer::Principal(name.into())
    }

    #[test]
    fn each_payer_and_each_class_has_a_bucket_of_its_own() {
        let admission = Admission::new(&limits(1, 2));
        let asked = |payer, class| admission.count(payer, class).is_ok();
        assert!(asked(principal("a"), Class::Other));
        assert!(asked(principal("a"), Class::Other));
        assert!(!asked(principal("a"), Class::Other));
        assert!(asked(principal("a"), Class::Gate));
        assert!(asked(principal("b"), Class::Other));
        let wait = admission.count(principal("a"), Class::Other).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(1));
    }

    #[test]
    fn peers_are_told_apart_by_address_or_by_their_ipv6_network() {
        let peer = |text: &str| Payer::peer(text.parse().unwrap());
        assert_ne!(peer("10.0.0.1"), peer("10.0.0.2"));
        assert_eq!(peer("10.0.0.1"), peer("::ffff:10.0.0.1"));
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff:1"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
    }

    #[test]
    fn a_rate_of_zero_is_no_limit() {
        let admission = Admission::new(&limits(0, 1));
        for _ in 0..1_000 {
            assert!(admission.count(principal("a"), Class::Gate).is_ok());
        }
        assert_eq!(admission.remembered(), 0);
    }

    #[test]
    fn a_burst_below_the_rate_is_the_rate() {
        let admission = Admission::new(&limits(50, 1));
        for _ in 0..50 {
            assert!(admission.count(principal("a"), Class::Gate).is_ok());
        }
    }

    #[test]
    fn the_quiet_are_forgotten() {
        let admission = Admission::new(&limits(1_000, 1_000));
        for number in 0..100 {
            let _ = admission.count(principal(&number.to_string()), Class::Gate);
        }
        assert_eq!(admission.remembered(), 100);
        std::thread::sleep(Duration::from_millis(50));
        admission.forget_the_quiet();
        assert_eq!(admission.remembered(), 0);
    }

    #[tokio::test]
    async fn others_are_refused_at_once_and_gates_wait_a_little() {
        let admission = Admission::new(&limits(0, 0));
        let other = admission.place(Class::Other).await;
        assert!(other.is_some());
        assert!(admission.place(Class::Other).await.is_none());
        let gate = admission.place(Class::Gate).await;
        assert!(gate.is_some(), "the places of gates are their own");
        let waiting = admission.place(Class::Gate);
        let (place, ()) = tokio::join!(waiting, async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            drop(gate);
        });
        assert!(place.is_some());
    }
}
