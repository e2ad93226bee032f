//! Why a call failed, each under a short name: the first thing that was wrong with it.

use std::fmt;

macro_rules! causes {
    ($($variant:ident $name:literal $meaning:literal)+) => {
        /// What was wrong.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Cause {
            /// A final status other than the scenario's.
            Status(u16),
            $(#[doc = $meaning] $variant,)+
        }

        /// Names and meanings, for the help text.
        pub(crate) const CAUSES: &[(&str, &str)] = &[$(($name, $meaning),)+];

        impl fmt::Display for Cause {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::Status(status) => write!(formatter, "status_{status}"),
                    $(Self::$variant => formatter.write_str($name),)+
                }
            }
        }
    };
}

causes! {
    NoRequest "no_request" "the first request did not reach the UAS in time"
    NoAnswer "no_answer" "no final response to it reached the UAC in time"
    NoAck "no_ack" "the ACK did not reach the UAS"
    NoBye "no_bye" "the BYE did not reach the UAS in time"
    NoByeAnswer "no_bye_answer" "the 200 to the BYE did not reach the UAC in time"
    NoCancel "no_cancel" "the CANCEL did not reach the UAS in time"
    NoRinging "no_ringing" "a final response came without a 180 before it"
    CallId "call_id" "another Call-ID than ours"
    From "from" "another From than ours"
    To "to" "another To than ours, or the tag of somebody else"
    CSeq "cseq" "another CSeq than ours"
    Branch "branch" "the Via on top is not the one we sent"
    Vias "vias" "more, fewer or other Vias than those we sent"
    ProvisionalAfterFinal "provisional_after_final" "a provisional response behind the final one"
    UnexpectedProvisional "unexpected_provisional" "a provisional response that nobody sent"
    SecondFinal "second_final" "a second final response that is not the first again"
    RecordRoute "record_route" "the Record-Route that was asked for is not there"
    RecordRouteChanged "record_route_changed" "the Record-Routes that we sent did not come back as they were"
    Contact "contact" "no Contact that a request could be sent to"
    Body "body" "the body is not the one that was sent"
    RequestUri "request_uri" "the Request-URI is not the expected one"
    HeaderPresent "header_present" "a header is there that should be gone"
    TextMissing "text_missing" "a text is not there that should be"
    MaxForwards "max_forwards" "Max-Forwards was not lowered by one"
    RouteLeft "route_left" "the Route of the proxy is still there"
    Path "path" "our Path is not there"
    ServiceRoute "service_route" "the Service-Route of the UAS is not there"
    SecondRequest "second_request" "the request came again on another branch"
    UnexpectedRequest "unexpected_request" "a request that the call has no place for"
    Unsent "unsent" "the system refused to send, or the connection was gone"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_has_a_name_of_its_own() {
        let mut names: Vec<_> = CAUSES.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CAUSES.len());
        assert_eq!(Cause::Status(503).to_string(), "status_503");
        assert_eq!(Cause::NoAck.to_string(), "no_ack");
    }
}
