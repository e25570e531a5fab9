//! The token of a request, as `Bearer TOKEN` or as the password of `Basic any:TOKEN`: several
//! callers can only put credentials into the address that they call.

use axum::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

/// What a request shows.
#[derive(Debug, Clone)]
pub(crate) enum Shown {
    /// A token, known or not.
    Token(SecretString),
    /// No credentials.
    Nothing,
    /// Credentials that hold no token, or more than one.
    Unreadable,
}

impl Shown {
    /// Takes the credentials out of the headers.
    pub(super) fn take_from(headers: &mut HeaderMap) -> Self {
        // Two of them are a way to let a proxy check the one and us the other.
        let count = headers.get_all(header::AUTHORIZATION).iter().count();
        let value = headers.remove(header::AUTHORIZATION);
        match (value, count) {
            (None, _) => Self::Nothing,
            (Some(value), 1) => token(&value).map_or(Self::Unreadable, Self::Token),
            (Some(_), _) => Self::Unreadable,
        }
    }
}

fn token(value: &HeaderValue) -> Option<SecretString> {
    let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
    let rest = rest.trim();
    let token = if scheme.eq_ignore_ascii_case("bearer") {
        SecretString::from(rest)
    } else if scheme.eq_ignore_ascii_case("basic") {
        let text = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
        text.split_once(':')?.1.into()
    } else {
        return None;
    };
    (!token.expose_secret().is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(values: &[&str]) -> Shown {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        let shown = Shown::take_from(&mut headers);
        assert!(headers.is_empty(), "credentials are left in the headers");
        shown
    }

    #[test]
    fn bearer_and_basic_carry_the_token() {
        for value in [
            "Bearer to:ken",
            "bEARER  to:ken ",
            // printf any:to:ken | base64
            "Basic YW55OnRvOmtlbg==",
            // printf :to:ken | base64
            "basic OnRvOmtlbg==",
        ] {
            let shown = shown(&[value]);
            assert!(
                matches!(&shown, Shown::Token(token) if token.expose_secret() == "to:ken"),
                "{value:?}"
            );
            assert!(!format!("{shown:?}").contains("to:ken"), "{shown:?}");
        }
    }

    #[test]
    fn anything_else_is_not_a_token() {
        assert!(matches!(shown(&[]), Shown::Nothing));
        for value in [
            "",
            "Bearer",
            "Bearer ",
            "token",
            "Digest a",
            "Basic !",
            "Basic YW55",
        ] {
            assert!(matches!(shown(&[value]), Shown::Unreadable), "{value:?}");
        }
        assert!(matches!(
            shown(&["Bearer a", "Bearer a"]),
            Shown::Unreadable
        ));
    }
}
