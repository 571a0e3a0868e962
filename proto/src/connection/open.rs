//! How many connections are open, in whatever number a service shows them by.

use std::sync::Arc;

/// The number of connections that are open at a port.
#[derive(Clone)]
pub struct OpenConnections(Arc<dyn Fn(f64) + Send + Sync>);

/// An open connection, which is counted until this is dropped.
pub struct OpenConnection(OpenConnections);

impl OpenConnections {
    /// The number that `add` adds to: 1 for a connection that opens, and -1 for one that ends.
    #[must_use]
    pub fn new(add: impl Fn(f64) + Send + Sync + 'static) -> Self {
        Self(Arc::new(add))
    }

    /// One more.
    #[must_use]
    pub fn open(&self) -> OpenConnection {
        (self.0)(1.0);
        OpenConnection(self.clone())
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let OpenConnections(add) = &self.0;
        add(-1.0);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn an_open_connection_is_counted_until_it_is_dropped() {
        let number = Arc::new(Mutex::new(0.0));
        let shown = Arc::clone(&number);
        let connections = OpenConnections::new(move |more| *shown.lock().unwrap() += more);
        let is = |expected: f64| (*number.lock().unwrap() - expected).abs() < f64::EPSILON;
        let (one, other) = (connections.open(), connections.open());
        assert!(is(2.0));
        drop(connections);
        drop(one);
        assert!(is(1.0));
        drop(other);
        assert!(is(0.0));
    }
}
