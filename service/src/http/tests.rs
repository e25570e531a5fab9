//! The router, asked directly: problems word for word, the document, the pages.

mod access;
mod ask;
mod behaviour;
mod document;
mod laid_over;
mod moving;
mod operations;
mod pipelines;
mod places;
mod problems;
mod refused;
mod sockets;
mod store_down;
mod streams;
