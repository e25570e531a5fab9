//! The fleet as its driver and the HTTP handlers see it.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serinus_analysis::simulate::SimulationError;

use super::clock::VirtualClock;
use super::services::{SERVICES, fleet_services};
use super::store::Store;

/// How much of the past the fleet starts with, in milliseconds: one day.
const HISTORY_MS: i64 = 24 * 60 * 60 * 1000;

/// Why the fleet refuses a wish of the driver.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FleetError {
    /// There is no such service.
    #[error("cannot set the share of \"{service}\": the services are {}", SERVICES.join(", "))]
    UnknownService {
        /// The name that was asked for.
        service: String,
    },
    /// The share is no percentage.
    #[error("cannot set the share of \"{service}\" to {percent}: give 0 to 100 percent")]
    NotAPercentage {
        /// The service.
        service: String,
        /// The share that was asked for.
        percent: f64,
    },
}

/// The simulated fleet: four services whose pods are scraped every 15 s of a clock that may run
/// fast. Samples are made when somebody asks, and are the same whoever asks when.
#[derive(Debug)]
pub struct Fleet {
    clock: Arc<VirtualClock>,
    store: RwLock<Store>,
}

impl Fleet {
    /// Returns a fleet with a day of history before the clock's present. [`super::CHECKOUT`] and
    /// [`super::PAYMENTS`] have no canary yet, [`super::CATALOG`] and [`super::BILLING`] have one
    /// at a steady [`super::STEADY_SHARE_PERCENT`].
    ///
    /// # Errors
    ///
    /// [`SimulationError`] if a built-in description makes no sense; a test holds that none does.
    pub fn new(seed: u64, clock: Arc<VirtualClock>) -> Result<Self, SimulationError> {
        let origin_ms = clock.now_ms().saturating_sub(HISTORY_MS);
        let store = Store::new(seed, &fleet_services(), origin_ms)?;
        Ok(Self {
            clock,
            store: RwLock::new(store),
        })
    }

    /// Gives the canary of a service this share of the traffic, in percent, from now on. At 0 it
    /// has no pods, at 100 the control has no traffic.
    ///
    /// # Errors
    ///
    /// [`FleetError`] if there is no such service or the share is not from 0 to 100.
    pub fn set_share(&self, service: &str, percent: f64) -> Result<(), FleetError> {
        if !(0.0..=100.0).contains(&percent) {
            return Err(FleetError::NotAPercentage {
                service: service.to_owned(),
                percent,
            });
        }
        let mut store = self.write();
        let now_ms = self.clock.now_ms();
        // What was before the change must not be made with the share after it.
        store.extend(now_ms);
        if store.set_share(service, now_ms, percent) {
            Ok(())
        } else {
            Err(FleetError::UnknownService {
                service: service.to_owned(),
            })
        }
    }

    /// Returns the fleet's time, in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Makes the scrapes that are due. Queries do so themselves; called now and then it keeps
    /// the first query after a long silence fast.
    pub fn catch_up(&self) {
        let mut store = self.write();
        store.extend(self.clock.now_ms());
    }

    /// Returns every series up to now.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Store> {
        self.catch_up();
        self.store.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Store> {
        // Samples are appended pod by pod: after a panic the store has gaps, not lies.
        self.store.write().unwrap_or_else(PoisonError::into_inner)
    }
}
