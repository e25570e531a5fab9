//! The OpenAPI document: what all routes together say.

use serinus_openapi::{Problem, ProblemType};
use utoipa::openapi::info::{InfoBuilder, LicenseBuilder};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::server::ServerBuilder;
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{Components, OpenApi, OpenApiBuilder, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::routes;
use super::routing::{SCHEMES, operations};

const DESCRIPTION: &str = "\
Serinus is a statistical canary analysis service. While a new version takes a small share of the \
traffic, it reads control and canary from Prometheus, judges the current stage of a YAML canary \
pipeline, and answers `promote`, `hold` or `rollback`, with the evidence.

* `promote`, `hold` and `rollback` are all status 200. A Prometheus that is down, slow or empty is \
a `hold` with its reason code, never an error.
* Every error is a problem document (RFC 9457, `application/problem+json`) with a stable `type` and \
a `detail` that says what to change.
* Every path answers with and without a trailing slash, never with a redirect. A POST needs no \
`Content-Type`; without one its body is read as JSON.
* A field that does not apply is absent. A number is never NaN or infinite.
* Where tokens are configured, each operation needs one with the scope named by its `security`: \
`read` to look, `gate` for what deployment systems ask, `operate` for what people decide. None \
implies another. Without a token the answer is 401, with the wrong scope 403.
* Every answer carries an `x-request-id`: the caller's, or a new one.";

/// Returns the document. Its server is the public URL, or where it was fetched from.
pub(crate) fn document(public_url: Option<&str>) -> OpenApi {
    let mut document = routes::all().into_parts().document;
    let base = OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Serinus")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(DESCRIPTION))
                .license(Some(
                    LicenseBuilder::new()
                        .name("Apache-2.0")
                        .identifier(Some("Apache-2.0"))
                        .build(),
                )),
        )
        .servers(Some([ServerBuilder::new()
            .url(public_url.unwrap_or("/"))
            .build()]))
        .tags(Some([
            tag("analyses", "Judge a stage now. Nothing is stored."),
            tag(
                "pipelines",
                "What a rollout goes through: look it up, look it through.",
            ),
            tag(
                "rollouts",
                "A canary on its way through a pipeline: ask its gate, again and again.",
            ),
            tag(
                "adapters",
                "For callers that cannot read a gate: what Serinus says in their words.",
            ),
            tag("operations", "For those who run Serinus."),
        ]))
        .build();
    document.info = base.info;
    document.servers = base.servers;
    document.tags = base.tags;
    let components = document.components.get_or_insert_with(Components::new);
    // The problems of an operation only refer to it, and it to others.
    let mut problem = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut problem);
    components.schemas.extend(problem);
    let schemes = [
        scheme(
            HttpAuthScheme::Bearer,
            "A token, as `Authorization: Bearer TOKEN`.",
        ),
        scheme(
            HttpAuthScheme::Basic,
            "Any name, and a token as the password: for callers that can only put credentials \
             into an address.",
        ),
    ];
    for (name, scheme) in SCHEMES.into_iter().zip(schemes) {
        components.add_security_scheme(name, scheme);
    }
    document
}

/// The document of a server without tokens: no operation needs one, and no form asks for one.
pub(super) fn without_tokens(mut document: OpenApi) -> OpenApi {
    let unauthorized = ProblemType::Unauthorized.status().to_string();
    let forbidden = ProblemType::Forbidden.status().to_string();
    for item in document.paths.paths.values_mut() {
        for (_, operation) in operations(item) {
            operation.security = Some(Vec::new());
            let responses = &mut operation.responses.responses;
            responses.remove(&unauthorized);
            // What is left of it: see `guard`.
            if let Some(RefOr::T(response)) = responses.get_mut(&forbidden) {
                "A page of another site asks through a browser"
                    .clone_into(&mut response.description);
            }
        }
    }
    if let Some(components) = &mut document.components {
        components.security_schemes.clear();
    }
    document
}

fn scheme(scheme: HttpAuthScheme, description: &str) -> SecurityScheme {
    let http = HttpBuilder::new().scheme(scheme);
    SecurityScheme::Http(http.description(Some(description)).build())
}

fn tag(name: &str, description: &str) -> utoipa::openapi::Tag {
    TagBuilder::new()
        .name(name)
        .description(Some(description))
        .build()
}
