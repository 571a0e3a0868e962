//! Access logs and access control lists: which requests a list permitted, and which lists let logs be delivered.

use gateway::access_log::delivery::Delivered;
use http::Method;
use sealgate::credentials::ALT_ACCOUNT;
use tests::signed::Draft;
use tests::world::World;

use crate::access_log::Logs;

const CONTROLS: &str = "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>\
                        </OwnershipControls>";

/// A list's grantee: the group that delivers logs.
const LOG_DELIVERY: &str = "uri=\"http://acs.amazonaws.com/groups/s3/LogDelivery\"";

/// A read of an object of `src`, recognised in the log by its user agent.
fn get(key: &str, agent: &str) -> Draft {
    Draft::new(Method::GET, "src", key).header("user-agent", agent)
}

#[tokio::test]
async fn acl_required_is_yes_where_a_list_permitted_a_request_and_no_policy_did() {
    let logs = Logs::start().await;
    logs.put("src", "", "ownershipControls", CONTROLS).await;
    let open = Draft::new(Method::PUT, "src", "open").header("x-amz-acl", "public-read");
    assert_eq!(logs.world.send(open).await.status(), 200);
    logs.put("src", "shut", "", "1").await;
    // What a list shows beside the object counts only where nothing else permits the request.
    let listed = Draft::new(Method::PUT, "src", "").query("acl", "");
    let listed = listed.header("x-amz-acl", "public-read");
    assert_eq!(logs.world.send(listed).await.status(), 200);
    let alt = logs.world.alt.clone();
    let by_list = logs.send_as(&alt, get("open", "by-list")).await;
    let by_nobody = logs.anonymously(get("open", "by-nobody")).await;
    let by_owner = logs.world.send(get("open", "by-owner")).await;
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{ALT_ACCOUNT}"}},
           "Action":"s3:GetObject","Resource":"arn:aws:s3:::src/*"}}]}}"#
    );
    logs.put("src", "", "policy", &policy).await;
    let by_policy = logs.send_as(&alt, get("open", "by-policy")).await;
    let of_shut = logs.send_as(&alt, get("shut", "of-shut")).await;
    for answer in [by_list, by_nobody, by_owner, by_policy, of_shut] {
        assert_eq!(answer.status(), 200, "{answer:?}");
    }
    let records = logs.records().await;
    for (agent, required) in [
        ("\"by-list\"", "Yes"),
        ("\"by-nobody\"", "Yes"),
        ("\"by-owner\"", "-"),
        ("\"of-shut\"", "-"),
        ("\"by-policy\"", "-"),
    ] {
        let record = records.iter().find(|record| record.field(17) == agent);
        let record = record.unwrap_or_else(|| panic!("{agent}: {records:?}"));
        assert_eq!(record.field(26), required, "{record:?}");
    }
}

#[tokio::test]
async fn acl_required_is_yes_for_a_copy_whose_source_a_list_opened() {
    let logs = Logs::start().await;
    let alt = logs.world.alt.clone();
    let others = |key: &str| Draft::new(Method::PUT, "others", key);
    let controls = others("").query("ownershipControls", "").body(CONTROLS);
    let open = others("open").header("x-amz-acl", "public-read").body("1");
    for draft in [others(""), controls, open] {
        assert_eq!(logs.send_as(&alt, draft).await.status(), 200);
    }
    let copy = |source: &str| {
        let copy = Draft::new(Method::PUT, "src", "copy");
        copy.header("x-amz-copy-source", source)
            .header("user-agent", source)
    };
    logs.put("src", "own", "", "2").await;
    for source in ["/others/open", "/src/own"] {
        assert_eq!(logs.world.send(copy(source)).await.status(), 200);
    }
    let records = logs.records_of("REST.COPY.OBJECT").await;
    let mut seen: Vec<_> = records
        .iter()
        .map(|record| [record.field(17), record.field(26)])
        .collect();
    seen.sort_unstable();
    let expected = [["\"/others/open\"", "Yes"], ["\"/src/own\"", "-"]];
    assert_eq!(seen, expected, "{records:?}");
}

#[tokio::test]
async fn a_list_lets_logs_be_delivered_that_grants_writing_and_reading_the_list() {
    let logs = Logs::start_with(World::setup()).await;
    logs.put("dst", "", "ownershipControls", CONTROLS).await;
    let to_log_service = |names: &[&str]| {
        let acl = Draft::new(Method::PUT, "dst", "").query("acl", "");
        let grant = |acl: Draft, name: &&str| acl.header(name, LOG_DELIVERY);
        names.iter().fold(acl, grant)
    };
    let (write, read_list) = ("x-amz-grant-write", "x-amz-grant-read-acp");
    let drop_policy = Draft::new(Method::DELETE, "dst", "").query("policy", "");
    assert_eq!(logs.world.send(drop_policy).await.status(), 204);
    let other = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*",
        "Action":"s3:PutObject","Resource":"arn:aws:s3:::dst/q/*"}]}"#;
    for policy in [None, Some(other)] {
        if let Some(policy) = policy {
            logs.put("dst", "", "policy", policy).await;
        }
        for (names, is_enough) in [
            (&[write][..], false),
            (&[read_list], false),
            (&[write, read_list], true),
        ] {
            let granted = logs.world.send(to_log_service(names)).await;
            assert_eq!(granted.status(), 200, "{granted:?}");
            logs.put("src", "k", "", "1").await;
            let expected = Delivered {
                written: usize::from(is_enough),
                refused: usize::from(!is_enough),
                waiting: 0,
            };
            assert_eq!(logs.flush().await, expected, "{policy:?} {names:?}");
        }
    }
    let denies = other.replace("/q/*", "/*");
    logs.put("dst", "", "policy", &denies).await;
    logs.put("src", "k", "", "1").await;
    assert_eq!(logs.flush().await.refused, 1);
}
