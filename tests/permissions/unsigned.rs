//! A request that is badly signed reaches neither a backend nor the gateway's own state.

use http::Method;
use tests::signed::Draft;

use crate::buckets::KEY;
use crate::fixture::Caller;
use crate::fixture::Fixture;
use crate::reference;

#[tokio::test]
async fn a_badly_signed_request_makes_no_request_to_the_backend() {
    let fixture = Fixture::start().await;
    let operation = &reference::operations()["GetObject"];
    let buckets = fixture.buckets(operation, Caller::Other).await;
    fixture.put_policies(&buckets, None).await;
    // One that remembers nothing.
    let gateway = fixture.world.another_gateway().await;
    let address = gateway.s3_addr.unwrap();
    let target = tests::signed::Target { address, tls: None };
    for (method, key, query) in [
        (Method::GET, KEY, ""),
        (Method::HEAD, KEY, ""),
        (Method::PUT, KEY, ""),
        (Method::DELETE, KEY, ""),
        (Method::GET, "", "policy"),
        (Method::PUT, "", "cors"),
        (Method::POST, "", "delete"),
    ] {
        for origin in [true, false] {
            for name in [buckets.bucket.as_str(), "no-such-bucket"] {
                let mut draft = Draft::new(method.clone(), name, key);
                if !query.is_empty() {
                    draft = draft.query(query, "");
                }
                if origin {
                    draft = draft.header("origin", "https://a.example");
                }
                let mut forged = fixture.sign(Caller::Other, draft.clone(), &target);
                let authorization = forged.headers["authorization"].to_str().unwrap();
                let authorization = authorization.replace("Signature=", "Signature=0");
                forged
                    .headers
                    .insert("authorization", authorization.parse().unwrap());
                let mut presigned = fixture.presign(Caller::Other, draft, &target);
                presigned.query = presigned
                    .query
                    .replace("X-Amz-Signature=", "X-Amz-Signature=0");
                for signed in [&forged, &presigned] {
                    fixture.world.backend.forget();
                    let response = signed.send(&target).await.unwrap();
                    assert!(response.status().is_client_error(), "{}", response.status());
                    let received = fixture.world.backend.requests();
                    let line = format!("{method} {name}/{key}?{query} {origin}");
                    assert!(received.is_empty(), "{line}: {received:?}");
                }
            }
        }
    }
}
