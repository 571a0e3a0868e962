//! Custom key stores. Clusters and external key managers are simulated: connecting succeeds.

use std::sync::Arc;

use proto::kms::v1;

use crate::api::call::Call;
use crate::api::metadata::seconds;
use crate::api::page;
use crate::api::violations;
use crate::crypto;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::key::Key;
use crate::keys::key_store::Backing;
use crate::keys::key_store::KeyStore;
use crate::keys::key_store::XksProxy;
use crate::keys::key_store::no_such_key_store;

/// Makes a custom key store; it starts disconnected.
pub(crate) fn create(
    call: &mut Call<'_>,
    request: v1::CreateCustomKeyStoreRequest,
) -> Result<v1::CreateCustomKeyStoreResponse, KmsError> {
    call.record.parameter_text(
        "customKeyStoreName",
        request.custom_key_store_name.as_deref(),
    );
    call.record.parameter_text(
        "customKeyStoreType",
        request.custom_key_store_type.as_deref(),
    );
    violations::check(&request)?;
    call.charge(None)?;
    let id = hex::encode(crypto::random_array::<9>());
    let store = KeyStore {
        id: format!("cks-{}", id.get(..17).unwrap_or_default()),
        name: request.custom_key_store_name.clone().unwrap_or_default(),
        created_ms: call.now.unix_millis(),
        connected: false,
        backing: backing(request)?,
    };
    let id = store.id.clone();
    let (account, region) = call.caller.place();
    call.kms.keys.put_key_store(account, region, |present| {
        if present.len() >= STORES_MAX {
            let text =
                format!("The account has reached the limit of {STORES_MAX} custom key stores.");
            return Err(KmsError::new(Code::LimitExceededException, text));
        }
        check_free(present, &store)?;
        Ok(store)
    })?;
    call.record.respond("customKeyStoreId", &*id);
    Ok(v1::CreateCustomKeyStoreResponse {
        custom_key_store_id: Some(id),
    })
}

/// Changes a custom key store.
pub(crate) fn update(
    call: &mut Call<'_>,
    request: v1::UpdateCustomKeyStoreRequest,
) -> Result<v1::UpdateCustomKeyStoreResponse, KmsError> {
    call.record
        .parameter_text("customKeyStoreId", request.custom_key_store_id.as_deref());
    violations::check(&request)?;
    call.charge(None)?;
    let (account, region) = call.caller.place();
    call.kms.keys.put_key_store(account, region, |present| {
        let store = changed(
            among(present, request.custom_key_store_id.as_deref())?,
            request,
        )?;
        check_free(present, &store)?;
        Ok(store)
    })?;
    Ok(v1::UpdateCustomKeyStoreResponse {})
}

/// The store as the request changes it.
fn changed(
    mut store: KeyStore,
    request: v1::UpdateCustomKeyStoreRequest,
) -> Result<KeyStore, KmsError> {
    let renames_only = request
        == v1::UpdateCustomKeyStoreRequest {
            custom_key_store_id: request.custom_key_store_id.clone(),
            new_custom_key_store_name: request.new_custom_key_store_name.clone(),
            ..Default::default()
        };
    let needs_disconnection = matches!(store.backing, Backing::CloudHsm { .. });
    if store.connected && needs_disconnection && !renames_only {
        return Err(invalid_state(&store, "must be disconnected"));
    }
    if let Some(name) = request.new_custom_key_store_name {
        store.name = name;
    }
    match &mut store.backing {
        Backing::CloudHsm { cluster, .. } => {
            if let Some(other) = request.cloud_hsm_cluster_id {
                *cluster = other;
            }
        }
        Backing::External(proxy) => {
            let credential = request.xks_proxy_authentication_credential;
            let access_key_id = credential.and_then(|credential| credential.access_key_id);
            let fields = [
                (&mut proxy.connectivity, request.xks_proxy_connectivity),
                (&mut proxy.access_key_id, access_key_id),
                (&mut proxy.endpoint, request.xks_proxy_uri_endpoint),
                (&mut proxy.path, request.xks_proxy_uri_path),
            ];
            for (field, value) in fields {
                if let Some(value) = value {
                    *field = value;
                }
            }
            let service = request.xks_proxy_vpc_endpoint_service_name;
            proxy.vpc_service = service.or(proxy.vpc_service.take());
            let owner = request.xks_proxy_vpc_endpoint_service_owner;
            proxy.vpc_owner = owner.or(proxy.vpc_owner.take());
        }
    }
    Ok(store)
}

/// Forgets a custom key store that is disconnected and has no keys.
pub(crate) fn delete(
    call: &mut Call<'_>,
    request: v1::DeleteCustomKeyStoreRequest,
) -> Result<v1::DeleteCustomKeyStoreResponse, KmsError> {
    call.record
        .parameter_text("customKeyStoreId", request.custom_key_store_id.as_deref());
    violations::check(&request)?;
    call.charge(None)?;
    let id = request.custom_key_store_id.as_deref();
    let store = find(call, id)?;
    let (account, region) = call.caller.place();
    let inside = |key: &Arc<Key>| {
        let snapshot = key.snapshot();
        let link = snapshot.record.key_store.as_ref();
        link.is_some_and(|link| link.id == store.id)
    };
    let keys = &call.kms.keys;
    keys.remove_key_store(account, region, &store.id, |present| {
        let store = among(present, id)?;
        if keys.list(account, region, call.now).iter().any(inside) {
            return Err(KmsError::new(
                Code::CustomKeyStoreHasCmksException,
                format!("Custom key store {} still has KMS keys.", store.id),
            ));
        }
        match store.connected {
            true => Err(invalid_state(&store, "must be disconnected")),
            false => Ok(()),
        }
    })?;
    Ok(v1::DeleteCustomKeyStoreResponse {})
}

/// Connects a custom key store, so that its keys can be used.
pub(crate) fn connect(
    call: &mut Call<'_>,
    request: v1::ConnectCustomKeyStoreRequest,
) -> Result<v1::ConnectCustomKeyStoreResponse, KmsError> {
    violations::check(&request)?;
    switch(call, request.custom_key_store_id.as_deref(), true)?;
    Ok(v1::ConnectCustomKeyStoreResponse {})
}

/// Disconnects a custom key store; its keys are unavailable until it is connected again.
pub(crate) fn disconnect(
    call: &mut Call<'_>,
    request: v1::DisconnectCustomKeyStoreRequest,
) -> Result<v1::DisconnectCustomKeyStoreResponse, KmsError> {
    violations::check(&request)?;
    switch(call, request.custom_key_store_id.as_deref(), false)?;
    Ok(v1::DisconnectCustomKeyStoreResponse {})
}

/// Lists custom key stores, or one of them.
pub(crate) fn describe(
    call: &mut Call<'_>,
    request: v1::DescribeCustomKeyStoresRequest,
) -> Result<v1::DescribeCustomKeyStoresResponse, KmsError> {
    violations::check(&request)?;
    call.charge(None)?;
    let (id, name) = (request.custom_key_store_id, request.custom_key_store_name);
    if id.is_some() && name.is_some() {
        return Err(KmsError::validation(
            "You cannot specify both CustomKeyStoreId and CustomKeyStoreName.",
        ));
    }
    let (account, region) = call.caller.place();
    let mut stores = call.kms.keys.key_stores(account, region);
    stores.retain(|store| {
        id.as_ref().is_none_or(|id| *id == store.id)
            && name.as_ref().is_none_or(|name| *name == store.name)
    });
    if let (true, Some(wanted)) = (stores.is_empty(), id.or(name)) {
        return Err(no_such_key_store(&wanted));
    }
    let marker = request.marker.as_deref();
    let page = page::page(
        stores,
        |store| &store.id,
        marker,
        request.limit,
        page::LIMITS,
    )?;
    Ok(v1::DescribeCustomKeyStoresResponse {
        custom_key_stores: page.items.into_iter().map(entry).collect(),
        next_marker: page.next_marker,
        truncated: Some(page.truncated),
    })
}

/// The custom key store of that id in the caller's account and Region.
pub(crate) fn find(call: &Call<'_>, id: Option<&str>) -> Result<KeyStore, KmsError> {
    let (account, region) = call.caller.place();
    let id = id.unwrap_or_default();
    call.kms
        .keys
        .key_store(account, region, id)
        .ok_or_else(|| no_such_key_store(id))
}

/// As [`find`], of those that are there while a change is made.
fn among(present: &[KeyStore], id: Option<&str>) -> Result<KeyStore, KmsError> {
    let id = id.unwrap_or_default();
    let mut present = present.iter();
    let found = present.find(|store| store.id == id).cloned();
    found.ok_or_else(|| no_such_key_store(id))
}

/// The store is in a state that does not let the operation through.
pub(crate) fn invalid_state(store: &KeyStore, must: &str) -> KmsError {
    KmsError::new(
        Code::CustomKeyStoreInvalidStateException,
        format!("Custom key store {} {must}.", store.id),
    )
}

fn switch(call: &mut Call<'_>, id: Option<&str>, connected: bool) -> Result<(), KmsError> {
    call.record.parameter_text("customKeyStoreId", id);
    call.charge(None)?;
    let (account, region) = call.caller.place();
    call.kms.keys.put_key_store(account, region, |present| {
        let mut store = among(present, id)?;
        if connected && store.connected {
            return Err(invalid_state(&store, "is connected already"));
        }
        store.connected = connected;
        Ok(store)
    })
}

fn backing(request: v1::CreateCustomKeyStoreRequest) -> Result<Backing, KmsError> {
    let needed = |value: Option<String>, name: &str| {
        value.ok_or_else(|| KmsError::validation(format!("{name} is required.")))
    };
    if request.custom_key_store_type.as_deref() != Some("EXTERNAL_KEY_STORE") {
        needed(request.key_store_password, "KeyStorePassword")?;
        return Ok(Backing::CloudHsm {
            cluster: needed(request.cloud_hsm_cluster_id, "CloudHsmClusterId")?,
            certificate: needed(request.trust_anchor_certificate, "TrustAnchorCertificate")?,
        });
    }
    let credential = request.xks_proxy_authentication_credential;
    let access_key_id = credential.and_then(|credential| credential.access_key_id);
    let connectivity = needed(request.xks_proxy_connectivity, "XksProxyConnectivity")?;
    let vpc_service = request.xks_proxy_vpc_endpoint_service_name;
    if connectivity == "VPC_ENDPOINT_SERVICE" && vpc_service.is_none() {
        return Err(KmsError::validation(
            "XksProxyVpcEndpointServiceName is required.",
        ));
    }
    Ok(Backing::External(XksProxy {
        connectivity,
        access_key_id: needed(access_key_id, "XksProxyAuthenticationCredential")?,
        endpoint: needed(request.xks_proxy_uri_endpoint, "XksProxyUriEndpoint")?,
        path: needed(request.xks_proxy_uri_path, "XksProxyUriPath")?,
        vpc_service,
        vpc_owner: request.xks_proxy_vpc_endpoint_service_owner,
    }))
}

/// Names, clusters and proxies belong to one custom key store each.
fn check_free(present: &[KeyStore], wanted: &KeyStore) -> Result<(), KmsError> {
    let taken = |code, what: &str| {
        KmsError::new(
            code,
            format!("The {what} belongs to another custom key store."),
        )
    };
    for other in present.iter().filter(|other| other.id != wanted.id) {
        if other.name == wanted.name {
            return Err(taken(Code::CustomKeyStoreNameInUseException, "name"));
        }
        match (&other.backing, &wanted.backing) {
            (Backing::CloudHsm { cluster: a, .. }, Backing::CloudHsm { cluster: b, .. })
                if a == b =>
            {
                return Err(taken(Code::CloudHsmClusterInUseException, "cluster"));
            }
            (Backing::External(a), Backing::External(b))
                if (&a.endpoint, &a.path) == (&b.endpoint, &b.path) =>
            {
                return Err(taken(Code::XksProxyUriInUseException, "proxy URI"));
            }
            _ => {}
        }
    }
    Ok(())
}

fn entry(store: KeyStore) -> v1::CustomKeyStoresListEntry {
    let state = if store.connected {
        "CONNECTED"
    } else {
        "DISCONNECTED"
    };
    let mut entry = v1::CustomKeyStoresListEntry {
        custom_key_store_id: Some(store.id),
        custom_key_store_name: Some(store.name),
        connection_state: Some(state.to_owned()),
        creation_date: Some(seconds(store.created_ms)),
        ..Default::default()
    };
    match store.backing {
        Backing::CloudHsm {
            cluster,
            certificate,
        } => {
            entry.custom_key_store_type = Some("AWS_CLOUDHSM".to_owned());
            entry.cloud_hsm_cluster_id = Some(cluster);
            entry.trust_anchor_certificate = Some(certificate);
        }
        Backing::External(proxy) => {
            entry.custom_key_store_type = Some("EXTERNAL_KEY_STORE".to_owned());
            entry.xks_proxy_configuration = Some(v1::XksProxyConfigurationType {
                connectivity: Some(proxy.connectivity),
                access_key_id: Some(proxy.access_key_id),
                uri_endpoint: Some(proxy.endpoint),
                uri_path: Some(proxy.path),
                vpc_endpoint_service_name: proxy.vpc_service,
                vpc_endpoint_service_owner: proxy.vpc_owner,
            });
        }
    }
    entry
}

/// Most custom key stores of an account in a Region.
const STORES_MAX: usize = 10;
