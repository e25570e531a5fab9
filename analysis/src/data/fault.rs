//! Why data is not there.

use serde::{Deserialize, Serialize};

/// Why the data of a metric is not there. Never good news and never an error: it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFault {
    /// What happened.
    pub code: FaultCode,
    /// One sentence for people.
    pub message: String,
}

macro_rules! fault_codes {
    ($($(#[$doc:meta])* $variant:ident,)*) => {
        /// What keeps data away.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub enum FaultCode { $($(#[$doc])* $variant,)* }

        impl FaultCode {
            /// Every code, in the order of declaration.
            pub const ALL: &[Self] = &[$(Self::$variant),*];
        }
    };
}

fault_codes! {
    /// No series, or no samples in the window.
    NoData,
    /// Nothing of the control that could be compared.
    NoControl,
    /// The source said that its answer is not complete.
    PartialData,
    /// All samples are NaN or infinite.
    NotFinite,
    /// The values fall so often that they are no counters.
    NotACounter,
    /// The answer was not ready in time.
    StillCollecting,
    /// The source cannot be reached.
    SourceUnavailable,
    /// The source did not answer in time.
    SourceSlow,
    /// The source refused the query (4xx).
    SourceRejectedQuery,
    /// The source refused the credentials (401, 403).
    SourceRefusedCredentials,
    /// The source failed (5xx).
    SourceFailed,
    /// What answers is no Prometheus: HTML, or no JSON.
    SourceNotPrometheus,
    /// The answer broke off.
    SourceAnswerCut,
    /// More series than the limit.
    TooManySeries,
    /// More bytes than the limit.
    AnswerTooLarge,
    /// There are series, but without a label that is needed to read them.
    LabelMissing,
}

impl FaultCode {
    /// Whether the same question may be answered in a moment. What is not transient is the source's
    /// last word: asking again soon would only ask it in vain. A token can be renewed meanwhile, and
    /// what is no Prometheus is mostly a proxy before one that restarts.
    pub fn is_transient(self) -> bool {
        match self {
            Self::StillCollecting
            | Self::SourceUnavailable
            | Self::SourceSlow
            | Self::SourceRefusedCredentials
            | Self::SourceFailed
            | Self::SourceNotPrometheus
            | Self::SourceAnswerCut => true,
            Self::NoData
            | Self::NoControl
            | Self::PartialData
            | Self::NotFinite
            | Self::NotACounter
            | Self::SourceRejectedQuery
            | Self::TooManySeries
            | Self::AnswerTooLarge
            | Self::LabelMissing => false,
        }
    }
}
