//! Names by a DNS server that answers as those of clusters do.

use std::io;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;

use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::op::OpCode;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::proto::rr::Record;
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::net::UdpSocket;

use super::*;

/// What the server knows, and what it was asked.
#[derive(Default)]
struct Zone {
    /// Names without a root's dot, and how many addresses each has.
    names: Vec<(&'static str, usize)>,
    /// The answer about addresses of version 6.
    version_6: Option<ResponseCode>,
    /// How many of the first queries by datagram get no answer.
    lost: usize,
    asked: Mutex<Vec<String>>,
}

impl Zone {
    /// The answer to a query; cut to what a datagram holds where it is one.
    fn answer(&self, query: &[u8], is_datagram: bool) -> Vec<u8> {
        let request = Message::from_vec(query).unwrap();
        let query = request.queries.first().unwrap().clone();
        let mut answer = Message::response(request.metadata.id, OpCode::Query);
        let name = query.name().to_utf8();
        let name = name.trim_end_matches('.');
        self.asked.lock().unwrap().push(name.to_owned());
        let known = self.names.iter().find(|(known, _)| *known == name);
        match (known, query.query_type()) {
            (None, _) => answer.metadata.response_code = ResponseCode::NXDomain,
            (Some((_, count)), RecordType::A) => {
                for at in 0..*count {
                    let address = Ipv4Addr::from_octets([127, 0, 0, u8::try_from(at + 1).unwrap()]);
                    let data = RData::A(address.into());
                    answer.add_answer(Record::from_rdata(query.name().clone(), 60, data));
                }
            }
            _ => answer.metadata.response_code = self.version_6.unwrap_or(ResponseCode::NoError),
        }
        answer.add_query(query);
        if is_datagram && answer.answers.len() > 28 {
            answer = answer.truncate();
            answer.metadata.truncation = true;
        }
        answer.to_vec().unwrap()
    }

    /// Serves on a port of both protocols, which it gives.
    async fn serve(self: Arc<Self>) -> u16 {
        let (datagrams, streams) = loop {
            let streams = TcpListener::bind("127.0.0.1:0").await.unwrap();
            if let Ok(datagrams) = UdpSocket::bind(streams.local_addr().unwrap()).await {
                break (datagrams, streams);
            }
        };
        let port = datagrams.local_addr().unwrap().port();
        let zone = self.clone();
        tokio::spawn(async move {
            let mut query = [0; 4096];
            while let Ok((length, from)) = datagrams.recv_from(&mut query).await {
                let answer = zone.answer(&query[..length], true);
                if zone.asked.lock().unwrap().len() > zone.lost {
                    datagrams.send_to(&answer, from).await.unwrap();
                }
            }
        });
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = streams.accept().await {
                while let Ok(length) = stream.read_u16().await {
                    let mut query = vec![0; length.into()];
                    stream.read_exact(&mut query).await.unwrap();
                    let answer = self.answer(&query, false);
                    if self.lost == ALL {
                        continue;
                    }
                    let length = u16::try_from(answer.len()).unwrap();
                    stream.write_u16(length).await.unwrap();
                    stream.write_all(&answer).await.unwrap();
                }
            }
        });
        port
    }
}

/// What [`Zone::lost`] is of a server that answers nothing, by no protocol.
const ALL: usize = usize::MAX;

/// A source that asks `zone`, by a file that ends in `options`.
async fn source(zone: &Arc<Zone>, folder: &Path, options: &str) -> Source {
    let resolv_conf = folder.join("resolv.conf");
    std::fs::write(&resolv_conf, format!("nameserver 127.0.0.1\n{options}\n")).unwrap();
    Source {
        resolv_conf,
        hosts: folder.join("hosts"),
        port: zone.clone().serve().await,
        asks_c_library: false,
        timeout_max: Duration::from_millis(200),
        current: Mutex::new(None),
    }
}

/// What was read of the files is due to be looked at again.
fn let_time_pass(source: &Source) {
    let mut current = source.current.lock().unwrap();
    let read = current.as_mut().unwrap();
    read.at = read.at.checked_sub(LOOK_AGAIN).unwrap();
}

/// What a name is resolved to where `zone` is asked by way of a cluster's search list.
async fn resolved(zone: Zone, ndots: u8, name: &str) -> io::Result<usize> {
    let folder = TempDir::new().unwrap();
    let options = format!(
        "search ns.svc.cluster.test svc.cluster.test cluster.test a.test b.test\noptions ndots:{ndots}"
    );
    let source = source(&Arc::new(zone), folder.path(), &options).await;
    Ok(source.addresses(name).await?.len())
}

#[tokio::test]
async fn a_service_is_found_by_each_form_of_its_name_at_each_ndots() {
    for ndots in [1, 2, 5] {
        for name in [
            "minio",
            "minio.ns",
            "minio.ns.svc",
            "minio.ns.svc.cluster.test",
            "minio.ns.svc.cluster.test.",
        ] {
            let zone = Zone {
                names: vec![("minio.ns.svc.cluster.test", 1)],
                ..Zone::default()
            };
            assert_eq!(
                resolved(zone, ndots, name).await.unwrap(),
                1,
                "{name} at {ndots}"
            );
        }
    }
}

#[tokio::test]
async fn an_answer_that_no_datagram_holds_comes_whole() {
    let zone = Zone {
        names: vec![("many.test", 33)],
        ..Zone::default()
    };
    assert_eq!(resolved(zone, 1, "many.test").await.unwrap(), 33);
}

#[tokio::test]
async fn an_error_about_version_6_hides_no_address_of_version_4() {
    for code in [
        ResponseCode::ServFail,
        ResponseCode::Refused,
        ResponseCode::NotImp,
        ResponseCode::FormErr,
        ResponseCode::NXDomain,
    ] {
        for name in ["minio.test", "minio.test."] {
            let zone = Zone {
                names: vec![("minio.test", 1)],
                version_6: Some(code),
                ..Zone::default()
            };
            let found = resolved(zone, 1, name).await;
            assert_eq!(found.unwrap(), 1, "{name} at {code}");
        }
    }
}

#[tokio::test]
async fn a_name_that_is_nowhere_is_refused_by_its_name() {
    let error = resolved(Zone::default(), 5, "nobody.test")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert_eq!(error.to_string(), "the name nobody.test has no address");
}

#[tokio::test]
async fn a_name_with_its_roots_dot_is_asked_for_once_per_kind() {
    let folder = TempDir::new().unwrap();
    let zone = Arc::new(Zone {
        names: vec![("minio.test", 1)],
        ..Zone::default()
    });
    let source = source(&zone, folder.path(), "search a.test\noptions ndots:5").await;
    source.addresses("minio.test.").await.unwrap();
    let asked = zone.asked.lock().unwrap().clone();
    assert!(asked.iter().all(|name| name == "minio.test"), "{asked:?}");
}

#[tokio::test]
async fn a_name_that_was_absent_is_found_as_soon_as_it_is_there() {
    let folder = TempDir::new().unwrap();
    let zone = Arc::new(Zone::default());
    let source = source(&zone, folder.path(), "").await;
    assert!(source.addresses("late.test").await.is_err());
    let asked = zone.asked.lock().unwrap().len();
    assert!(source.addresses("late.test").await.is_err());
    assert!(
        zone.asked.lock().unwrap().len() > asked,
        "it was remembered as absent"
    );
}

#[tokio::test]
async fn the_file_of_hosts_comes_before_dns_and_localhost_needs_neither() {
    let folder = TempDir::new().unwrap();
    let zone = Arc::new(Zone::default());
    std::fs::write(folder.path().join("hosts"), "10.0.0.9 minio.test MINIO\n").unwrap();
    let source = source(&zone, folder.path(), "").await;
    for name in ["minio.test", "minio", "Minio.Test"] {
        let found = source.addresses(name).await.unwrap();
        assert_eq!(found, [IpAddr::from([10, 0, 0, 9])], "{name}");
    }
    let found = source.addresses("localhost").await.unwrap();
    assert!(found.iter().all(IpAddr::is_loopback), "{found:?}");
    assert!(zone.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_change_of_either_file_is_seen_within_its_time() {
    let folder = TempDir::new().unwrap();
    let zone = Arc::new(Zone::default());
    let source = source(&zone, folder.path(), "").await;
    let hosts = folder.path().join("hosts");
    let first = IpAddr::from([10, 0, 0, 1]);
    std::fs::write(&hosts, "10.0.0.1 minio.test\n").unwrap();
    assert_eq!(source.addresses("minio.test").await.unwrap(), [first]);
    std::fs::write(&hosts, "10.0.0.2 minio.test\n").unwrap();
    assert_eq!(source.addresses("minio.test").await.unwrap(), [first]);
    let_time_pass(&source);
    let second = IpAddr::from([10, 0, 0, 2]);
    assert_eq!(source.addresses("minio.test").await.unwrap(), [second]);
    let resolv_conf = folder.path().join("resolv.conf");
    std::fs::write(resolv_conf, "nameserver 127.0.0.1\nsearch test\n").unwrap();
    assert_eq!(source.addresses("minio.test").await.unwrap(), [second]);
}

#[tokio::test]
async fn a_hundred_lookups_at_once_are_all_answered() {
    let folder = TempDir::new().unwrap();
    let zone = Arc::new(Zone {
        names: vec![("minio.test", 3), ("kms.test", 1)],
        ..Zone::default()
    });
    let source = Arc::new(source(&zone, folder.path(), "").await);
    let lookups = (0..100).map(|number| {
        let source = source.clone();
        tokio::spawn(async move {
            let (name, count) = [("minio.test", 3), ("kms.test", 1)][number % 2];
            assert_eq!(source.addresses(name).await.unwrap().len(), count);
        })
    });
    for lookup in lookups.collect::<Vec<_>>() {
        lookup.await.unwrap();
    }
}

#[tokio::test]
async fn a_name_is_asked_for_again_when_a_datagram_is_lost() {
    for lost in [1, 2] {
        let zone = Zone {
            names: vec![("minio.test", 1)],
            lost,
            ..Zone::default()
        };
        let found = resolved(zone, 1, "minio.test.").await;
        assert_eq!(found.unwrap(), 1, "{lost} datagrams were lost");
    }
}

#[tokio::test]
async fn a_server_that_answers_nothing_ends_in_an_error() {
    let zone = Zone {
        names: vec![("minio.test", 1)],
        lost: ALL,
        ..Zone::default()
    };
    let error = resolved(zone, 1, "minio.test.").await.unwrap_err();
    let text = error.to_string();
    let said = "the name minio.test. cannot be resolved: ";
    assert!(text.starts_with(said), "{text}");
    assert_ne!(error.kind(), io::ErrorKind::NotFound);
}
