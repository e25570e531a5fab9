//! A source behind TLS with a private authority. `tls/make.sh` makes the certificates.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::*;

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/prometheus/source/tests/tls")
        .join(name)
}

fn acceptor(asks_for_certificate: bool) -> TlsAcceptor {
    super::super::super::install_crypto_provider();
    let certificate = |name| CertificateDer::from_pem_file(path(name)).unwrap();
    let builder = if asks_for_certificate {
        let mut roots = RootCertStore::empty();
        roots.add(certificate("authority.pem")).unwrap();
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots))
            .build()
            .unwrap();
        ServerConfig::builder().with_client_cert_verifier(verifier)
    } else {
        ServerConfig::builder().with_no_client_auth()
    };
    let key = PrivateKeyDer::from_pem_file(path("server.key")).unwrap();
    let config = builder
        .with_single_cert(vec![certificate("server.pem")], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn tls_config(upstream: &Upstream) -> SourceConfig {
    let url = format!("https://{}", upstream.address());
    SourceConfig {
        url: url.parse().unwrap(),
        ca_file: Some(path("authority.pem")),
        ..config(upstream)
    }
}

#[tokio::test]
async fn a_private_authority_is_trusted_when_it_is_named() {
    let upstream = Upstream::start_tls(vec![json("200 OK", GOOD)], acceptor(false)).await;
    let trusting = tls_config(&upstream);
    assert!(
        source(trusting.clone())
            .ask(&question(), &share())
            .await
            .is_ok()
    );

    let other = SourceConfig {
        // Any certificate but the authority's.
        ca_file: Some(path("client.pem")),
        ..trusting
    };
    let fault = fault_of(&source(other)).await;
    assert_eq!(fault.code, FaultCode::SourceUnavailable);
    assert!(fault.message.contains("certificate"), "{fault}");
}

#[tokio::test]
async fn a_client_certificate_is_shown_when_asked_for() {
    let upstream = Upstream::start_tls(vec![json("200 OK", GOOD)], acceptor(true)).await;
    let without = tls_config(&upstream);
    let with = SourceConfig {
        client_certificate_file: Some(path("client.pem")),
        client_key_file: Some(path("client.key")),
        ..without.clone()
    };
    assert!(source(with).ask(&question(), &share()).await.is_ok());
    let fault = fault_of(&source(without)).await;
    assert_eq!(fault.code, FaultCode::SourceUnavailable);
}

#[tokio::test]
async fn an_authority_is_read_again_when_its_file_changes() {
    let upstream = Upstream::start_tls(vec![json("200 OK", GOOD)], acceptor(false)).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::copy(path("server.pem"), &file).unwrap();
    let source = source(SourceConfig {
        ca_file: Some(file.clone()),
        ..tls_config(&upstream)
    });
    assert!(source.ask(&question(), &share()).await.is_err());
    std::fs::write(&file, "half a certificate").unwrap();
    assert!(source.ask(&question(), &share()).await.is_err());
    std::fs::copy(path("authority.pem"), &file).unwrap();
    assert!(source.ask(&question(), &share()).await.is_ok());
}
