//! The wire contract of Serinus: what requests and answers look like.
