//! What the forms of the console change, each by a request of the admin API.

use serde_json::Value;
use serde_json::json;

use crate::console::access::Demands;
use crate::console::access::Viewer;
use crate::console::faults;
use crate::console::form::Form;
use crate::console::quotas;
use crate::console::sources::Sources;

/// What one form does.
pub(super) struct Change {
    /// The word by which the page after it finds what to say.
    pub(super) name: &'static str,
    /// The path of the form.
    path: &'static str,
    /// The page that has the form.
    pub(super) back: &'static str,
    /// Method and path of the admin API.
    control: (&'static str, &'static str),
    body: fn(&Form) -> Result<Value, String>,
    done: &'static str,
}

impl Change {
    /// What the form at that path does.
    pub(super) fn find(path: &str) -> Option<&'static Self> {
        CHANGES.iter().find(|change| change.path == path)
    }

    /// Does it.
    ///
    /// # Errors
    ///
    /// Why it was not done, in a sentence.
    pub(super) async fn perform(
        &self,
        sources: &Sources,
        viewer: &Viewer,
        demands: &Demands,
        form: &Form,
    ) -> Result<(), String> {
        let controls = sources.kms.as_ref().ok_or("There is no KMS here.")?;
        viewer.check_control(demands, controls, self.control.1)?;
        let body = (self.body)(form)?.to_string();
        controls.perform(self.control, "", body.as_bytes()).await?;
        Ok(())
    }
}

/// Why this viewer may not move the clock, if that is so.
pub(super) fn clock_refusal(
    sources: &Sources,
    viewer: &Viewer,
    demands: &Demands,
) -> Option<&'static str> {
    let controls = sources.kms.as_ref()?;
    viewer.check_control(demands, controls, CLOCK).err()
}

/// What is said of a form that was done.
pub(super) fn done(name: &str) -> Option<&'static str> {
    let change = CHANGES.iter().find(|change| change.name == name)?;
    Some(change.done)
}

fn nothing(_: &Form) -> Result<Value, String> {
    Ok(json!({}))
}

fn rule_id(form: &Form) -> Result<Value, String> {
    let id: Option<u64> = form.number("id")?;
    Ok(json!({ "id": id.ok_or("Name the rule.")? }))
}

const CLOCK: &str = "/admin/clock";

const CHANGES: [Change; 7] = [
    Change {
        name: "adjusted",
        path: "/console/quotas/adjust",
        back: "/console/quotas",
        control: ("POST", "/admin/quotas/adjust"),
        body: quotas::adjustment,
        done: "The rate is in force.",
    },
    Change {
        name: "restarted",
        path: "/console/quotas/restart",
        back: "/console/quotas",
        control: ("POST", "/admin/quotas/restart"),
        body: nothing,
        done: "What was used is forgotten.",
    },
    Change {
        name: "added",
        path: "/console/faults/add",
        back: "/console/faults",
        control: ("POST", "/admin/faults/add"),
        body: faults::fault,
        done: "The rule is in force.",
    },
    Change {
        name: "slowed",
        path: "/console/faults/slow",
        back: "/console/faults",
        control: ("POST", "/admin/faults/add"),
        body: faults::latency,
        done: "The rule is in force.",
    },
    Change {
        name: "removed",
        path: "/console/faults/remove",
        back: "/console/faults",
        control: ("POST", "/admin/faults/remove"),
        body: rule_id,
        done: "The rule is removed.",
    },
    Change {
        name: "cleared",
        path: "/console/faults/clear",
        back: "/console/faults",
        control: ("PUT", "/admin/faults"),
        body: nothing,
        done: "All rules are removed.",
    },
    Change {
        name: "moved",
        path: "/console/clock",
        back: "/console/faults",
        control: ("POST", CLOCK),
        body: faults::movement,
        done: "The clock was moved.",
    },
];
