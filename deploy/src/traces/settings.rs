//! What the environment says about traces, under OpenTelemetry's names.
//!
//! Sources: <https://opentelemetry.io/docs/specs/otel/protocol/exporter/>,
//! <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>

use std::time::Duration;

use anyhow::Context as _;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Uri;
use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use opentelemetry_sdk::trace::Sampler;
use percent_encoding::percent_decode_str;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// Where traces are sent, which, and in whose name.
pub(super) struct Settings {
    /// The collector's URL for traces.
    pub(super) endpoint: Uri,
    /// What it wants besides; mostly a token.
    pub(super) headers: HeaderMap,
    /// How long it may take for one batch.
    pub(super) timeout: Duration,
    /// Who may vouch for it, instead of the public authorities.
    pub(super) authorities: Option<RootCertStore>,
    /// Whether batches are compressed.
    pub(super) is_compressed: bool,
    /// What is said of this process.
    pub(super) resource: Resource,
    /// Which traces are recorded.
    pub(super) sampler: Sampler,
}

impl Settings {
    /// Those of an environment, for the service of that name unless another is given; none if traces are off.
    ///
    /// # Errors
    ///
    /// A sentence with the variable's name, and without its value where that may be secret.
    pub(super) fn read(
        env: impl Fn(&str) -> Option<String>,
        service: &str,
    ) -> anyhow::Result<Option<Self>> {
        let of_exporter = |what: &str| of_exporter(&env, what);
        let Some(endpoint) = of_exporter("ENDPOINT") else {
            return Ok(None);
        };
        if !is_on(&env)? {
            return Ok(None);
        }
        if let Some((name, value)) = of_exporter("PROTOCOL") {
            anyhow::ensure!(
                value == "http/protobuf",
                "{name} is {value:?}: traces are sent by `http/protobuf`, mostly to port 4318"
            );
        }
        for what in ["CLIENT_CERTIFICATE", "CLIENT_KEY"] {
            if let Some((name, _)) = of_exporter(what) {
                anyhow::bail!("{name} is set, but certificates of clients are not supported");
            }
        }
        let headers = of_exporter("HEADERS").map(|(name, text)| headers(&name, &text));
        let timeout = of_exporter("TIMEOUT").map(|(name, text)| milliseconds(&name, &text));
        let authorities = of_exporter("CERTIFICATE").map(|(name, file)| authorities(&name, &file));
        let compression = of_exporter("COMPRESSION").map(|(name, text)| is_gzip(&name, &text));
        Ok(Some(Self {
            endpoint: url(&endpoint.0, &endpoint.1)?,
            headers: headers.transpose()?.unwrap_or_default(),
            timeout: timeout.transpose()?.unwrap_or(TIMEOUT),
            authorities: authorities.transpose()?,
            is_compressed: compression.transpose()?.unwrap_or(false),
            resource: resource(&env, service)?,
            sampler: sampler(&env)?,
        }))
    }
}

/// A variable of the exporter, with its name: that for traces, or else that for everything.
fn of_exporter(env: impl Fn(&str) -> Option<String>, what: &str) -> Option<(String, String)> {
    let names = [TRACES_PREFIX, PREFIX].map(|prefix| format!("{prefix}{what}"));
    let mut found = names
        .into_iter()
        .filter_map(|name| env(&name).map(|value| (name, value)));
    found.next()
}

/// Whether nothing switches traces off that an endpoint switches on.
fn is_on(env: impl Fn(&str) -> Option<String>) -> anyhow::Result<bool> {
    let disabled = env(DISABLED).unwrap_or_default().to_ascii_lowercase();
    let exporter = env(EXPORTER).unwrap_or_default();
    let is_enabled = match disabled.as_str() {
        "true" => false,
        "" | "false" => true,
        _ => anyhow::bail!("{DISABLED} is {disabled:?}: expected `true` or `false`"),
    };
    match exporter.as_str() {
        "" | "otlp" => Ok(is_enabled),
        "none" => Ok(false),
        _ => anyhow::bail!("{EXPORTER} is {exporter:?}: expected `otlp` or `none`"),
    }
}

/// The URL for traces: as it is given for them, or below the one for everything.
fn url(name: &str, text: &str) -> anyhow::Result<Uri> {
    let whole = match name.starts_with(TRACES_PREFIX) {
        true => text.to_owned(),
        false => format!("{}/v1/traces", text.trim_end_matches('/')),
    };
    let uri = whole.parse().ok();
    let uri = uri.filter(|uri: &Uri| {
        let authority = uri.authority().map_or("", http::uri::Authority::as_str);
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        is_http && !authority.is_empty() && !authority.contains('@') && uri.query().is_none()
    });
    uri.with_context(|| {
        format!("{name} is no URL such as http://127.0.0.1:4318, without credentials and query")
    })
}

fn headers(name: &str, text: &str) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    for (key, value) in pairs(name, text)? {
        let refusal = || format!("{name}: what it has for {key:?} is no header");
        let header = HeaderName::try_from(&key).with_context(refusal)?;
        // Without the cause, which could have the value.
        let mut value = HeaderValue::try_from(value).ok().with_context(refusal)?;
        value.set_sensitive(true);
        headers.append(header, value);
    }
    Ok(headers)
}

/// Pairs as `W3C` Baggage has them: `a=1,b=2`, values percent-encoded.
fn pairs(name: &str, text: &str) -> anyhow::Result<Vec<(String, String)>> {
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        let key = key.trim();
        (!key.is_empty()).then(|| (key.to_owned(), value.into_owned()))
    };
    let listed = text.split(',').filter(|text| !text.trim().is_empty());
    let pairs: Option<Vec<_>> = listed.map(pair).collect();
    pairs.with_context(|| format!("{name} is no list such as a=1,b=2"))
}

fn milliseconds(name: &str, text: &str) -> anyhow::Result<Duration> {
    let number: Option<u64> = text.parse().ok().filter(|number| *number > 0);
    let number =
        number.with_context(|| format!("{name} is {text:?}: expected milliseconds from 1 on"))?;
    Ok(Duration::from_millis(number))
}

/// The authorities in a PEM file.
fn authorities(name: &str, file: &str) -> anyhow::Result<RootCertStore> {
    let certificates = CertificateDer::pem_file_iter(file).and_then(Iterator::collect);
    let certificates: Vec<_> = certificates.with_context(|| format!("{name}: {file}"))?;
    anyhow::ensure!(
        !certificates.is_empty(),
        "{name}: {file} holds no certificate"
    );
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let added = roots.add(certificate);
        added.with_context(|| format!("{name}: {file}"))?;
    }
    Ok(roots)
}

fn is_gzip(name: &str, text: &str) -> anyhow::Result<bool> {
    match text {
        "gzip" => Ok(true),
        "none" => Ok(false),
        _ => anyhow::bail!("{name} is {text:?}: expected `gzip` or `none`"),
    }
}

fn resource(env: impl Fn(&str) -> Option<String>, service: &str) -> anyhow::Result<Resource> {
    let given = env(RESOURCE).map(|text| pairs(RESOURCE, &text));
    let given = given.transpose()?.unwrap_or_default();
    let own = [
        KeyValue::new("service.name", service.to_owned()),
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
    ];
    let given = given
        .into_iter()
        .map(|(key, value)| KeyValue::new(key, value));
    let builder = Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector))
        .with_attributes(own)
        .with_attributes(given);
    let builder = match env(SERVICE) {
        Some(name) => builder.with_service_name(name),
        None => builder,
    };
    Ok(builder.build())
}

fn sampler(env: impl Fn(&str) -> Option<String>) -> anyhow::Result<Sampler> {
    let parent_based = |root| Sampler::ParentBased(Box::new(root));
    let name = env(SAMPLER).unwrap_or_default();
    Ok(match name.as_str() {
        "always_on" => Sampler::AlwaysOn,
        "always_off" => Sampler::AlwaysOff,
        "traceidratio" => Sampler::TraceIdRatioBased(ratio(env)?),
        "" | "parentbased_always_on" => parent_based(Sampler::AlwaysOn),
        "parentbased_always_off" => parent_based(Sampler::AlwaysOff),
        "parentbased_traceidratio" => parent_based(Sampler::TraceIdRatioBased(ratio(env)?)),
        _ => anyhow::bail!(
            "{SAMPLER} is {name:?}: expected `always_on`, `always_off` or `traceidratio`, or one of them after \
             `parentbased_`"
        ),
    })
}

/// Which part of all traces is recorded.
fn ratio(env: impl Fn(&str) -> Option<String>) -> anyhow::Result<f64> {
    let Some(text) = env(RATIO) else {
        return Ok(1.0);
    };
    let ratio: Option<f64> = text.parse().ok();
    let ratio = ratio.filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.with_context(|| format!("{RATIO} is {text:?}: expected a number from 0 to 1"))
}

const PREFIX: &str = "OTEL_EXPORTER_OTLP_";
const TRACES_PREFIX: &str = "OTEL_EXPORTER_OTLP_TRACES_";
const DISABLED: &str = "OTEL_SDK_DISABLED";
const EXPORTER: &str = "OTEL_TRACES_EXPORTER";
const RESOURCE: &str = "OTEL_RESOURCE_ATTRIBUTES";
const SERVICE: &str = "OTEL_SERVICE_NAME";
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const RATIO: &str = "OTEL_TRACES_SAMPLER_ARG";
/// How long a collector may take for one batch, unless that is given.
const TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> anyhow::Result<Option<Settings>> {
        let value = |name: &str| {
            let pair = pairs.iter().find(|(other, _)| *other == name);
            pair.map(|(_, value)| (*value).to_owned())
        };
        Settings::read(value, "sealgate")
    }

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");

    #[test]
    fn only_an_endpoint_switches_traces_on_and_two_variables_switch_them_off() {
        assert!(read(&[]).unwrap().is_none());
        assert!(read(&[(SAMPLER, "always_on")]).unwrap().is_none());
        assert!(read(&[ENDPOINT]).unwrap().is_some());
        assert!(read(&[ENDPOINT, (DISABLED, "TRUE")]).unwrap().is_none());
        assert!(read(&[ENDPOINT, (DISABLED, "false")]).unwrap().is_some());
        assert!(read(&[ENDPOINT, (EXPORTER, "none")]).unwrap().is_none());
    }

    #[test]
    fn what_is_for_traces_comes_before_what_is_for_everything() {
        let settings = read(&[
            ENDPOINT,
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=all"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
        ]);
        let settings = settings.unwrap().unwrap();
        assert_eq!(settings.endpoint, "http://collector:4318/v1/traces");
        assert_eq!(settings.headers["a"], "all");
        let settings = read(&[
            ENDPOINT,
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://traces/x"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "a=all"),
            (
                "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
                "Authorization=Bearer%20t, b = 2",
            ),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "250"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
        ]);
        let settings = settings.unwrap().unwrap();
        assert_eq!(settings.endpoint, "https://traces/x");
        assert_eq!(settings.headers["authorization"], "Bearer t");
        assert_eq!(settings.headers["b"], "2");
        assert!(!settings.headers.contains_key("a") && settings.is_compressed);
        assert_eq!(settings.timeout, Duration::from_millis(250));
        assert!(!format!("{:?}", settings.headers).contains("Bearer"));
    }

    #[test]
    fn the_name_of_the_service_comes_before_its_attributes() {
        let name = |pairs: &[(&str, &str)]| {
            let settings = read(pairs).unwrap().unwrap();
            let name = settings.resource.get(&"service.name".into());
            name.unwrap().to_string()
        };
        let attributes = (RESOURCE, "service.name=attribute,deployment=a%2Cb");
        assert_eq!(name(&[ENDPOINT]), "sealgate");
        assert_eq!(name(&[ENDPOINT, attributes]), "attribute");
        assert_eq!(name(&[ENDPOINT, attributes, (SERVICE, "given")]), "given");
        let settings = read(&[ENDPOINT, attributes]).unwrap().unwrap();
        let deployment = settings.resource.get(&"deployment".into());
        assert_eq!(deployment.unwrap().to_string(), "a,b");
    }

    #[test]
    fn every_sampler_of_the_standard_is_known() {
        for (name, ratio, expected) in [
            ("always_on", "7", "AlwaysOn"),
            ("always_off", "", "AlwaysOff"),
            ("traceidratio", "0.25", "TraceIdRatioBased(0.25)"),
            ("parentbased_always_on", "", "ParentBased(AlwaysOn)"),
            ("parentbased_always_off", "", "ParentBased(AlwaysOff)"),
            (
                "parentbased_traceidratio",
                "1",
                "ParentBased(TraceIdRatioBased(1.0))",
            ),
        ] {
            let settings = read(&[ENDPOINT, (SAMPLER, name), (RATIO, ratio)]);
            let sampler = settings.unwrap().unwrap().sampler;
            assert_eq!(format!("{sampler:?}"), expected);
        }
    }

    #[test]
    fn a_secret_of_a_collector_is_in_no_refusal() {
        for text in [
            "authorization=t0p-secret%0a",
            "t0p-secret",
            "a b=t0p-secret",
        ] {
            let refusal = read(&[ENDPOINT, ("OTEL_EXPORTER_OTLP_HEADERS", text)]);
            let refusal = format!("{:#}", refusal.err().unwrap());
            assert!(
                refusal.starts_with("OTEL_EXPORTER_OTLP_HEADERS"),
                "{refusal}"
            );
            assert!(!refusal.contains("t0p-secret"), "{refusal}");
        }
    }
}
