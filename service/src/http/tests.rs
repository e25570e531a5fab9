//! The router, asked directly: problems word for word, the document, the pages.

mod ask;
mod behaviour;
mod document;
mod problems;
mod sockets;
