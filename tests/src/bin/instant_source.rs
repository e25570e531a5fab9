//! A source that answers at once, as a process of its own. `scripts/prove-load.py` runs it.
//!
//! ```text
//! instant_source ADDRESS:PORT
//! ```

use std::net::SocketAddr;

use anyhow::bail;
use serinus_tests::instant_source;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address] = arguments.as_slice() else {
        bail!("usage: instant_source ADDRESS:PORT");
    };
    let address: SocketAddr = address.parse()?;
    let listener = TcpListener::bind(address).await?;
    axum::serve(listener, instant_source()).await?;
    Ok(())
}
