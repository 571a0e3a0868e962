//! The composition root: the only place that names both houses.
