//! What the console says of the endpoints of `up`. It has no secret, which anybody who reaches the page would read.

use crate::announce::Announcement;
use crate::console::Facts;

/// What the overview shows.
pub(super) fn facts(announcement: &Announcement) -> Facts {
    let Announcement {
        kms_endpoint,
        s3_endpoint,
        s3_tls_endpoint,
        kms_admin_endpoint,
        region,
        ..
    } = announcement;
    let endpoints = [
        ("S3 over TLS", s3_tls_endpoint),
        ("S3 in clear", s3_endpoint),
        ("KMS and STS: AWS JSON and gRPC", kms_endpoint),
        ("Admin port of the gateway", &announcement.admin_endpoint),
        ("Admin port of the KMS, and CloudTrail", kms_admin_endpoint),
        ("Sealed objects", &announcement.backend_endpoint),
    ];
    let endpoints = endpoints.into_iter().filter(|(_, url)| !url.is_empty());
    let (ca, data) = (
        announcement.ca_file.display(),
        announcement.data_dir.display(),
    );
    let users = match announcement.is_stored {
        true => format!("# The access key of the main user is in {data}/credentials.toml."),
        false => "# The access key of the main user was printed at the start.".to_owned(),
    };
    Facts {
        endpoints: endpoints.map(|(name, url)| (name, url.clone())).collect(),
        paste: format!(
            "{users}\n\
             export AWS_DEFAULT_REGION={region}\n\
             export AWS_CA_BUNDLE={ca}\n\
             export AWS_ENDPOINT_URL_S3={s3_tls_endpoint}\n\
             export AWS_ENDPOINT_URL_GLACIER={s3_tls_endpoint}\n\
             export AWS_ENDPOINT_URL_KMS={kms_endpoint}\n\
             export AWS_ENDPOINT_URL_STS={kms_endpoint}\n\
             export AWS_ENDPOINT_URL_CLOUDTRAIL={kms_admin_endpoint}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_console_shows_has_no_secret() {
        let announcement = Announcement {
            s3_tls_endpoint: "https://127.0.0.1:9443".into(),
            access_key_id: "CANARY-id".into(),
            secret_access_key: "CANARY-secret".into(),
            grpc_token: "CANARY-token".into(),
            alt_secret_access_key: "CANARY-alt".into(),
            alt_grpc_token: "CANARY-alt-token".into(),
            backend_secret_access_key: "CANARY-backend".into(),
            kms_admin_token: "CANARY-admin".into(),
            admin_token: "CANARY-all".into(),
            admin_token_place: Some("CANARY-place".into()),
            ..Announcement::default()
        };
        let facts = facts(&announcement);
        let shown = format!("{facts:?}");
        assert!(!shown.contains("CANARY"), "{shown}");
        assert!(shown.contains("AWS_ENDPOINT_URL_S3=https://127.0.0.1:9443"));
        assert_eq!(
            facts.endpoints.len(),
            1,
            "listeners that are off are left out"
        );
    }
}
