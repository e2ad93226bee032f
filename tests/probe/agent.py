"""One pjsua2 user agent as a process: commands come as JSON lines on standard input, events leave on standard output.

Only this process knows pjsua2: the library wants one endpoint a process, and its wheel brings an OpenSSL that has no
place beside the product. Everything runs on one thread: callbacks of Python on PJSIP's own threads are known to crash.

| command    | keys                          | effect                                                        |
|------------|-------------------------------|---------------------------------------------------------------|
| account    | identity, route, reliable     | be this user, send all through this route; 18x with PRACK     |
| call       | uri, headers                  | place a call                                                  |
| answer     | call, code                    | answer a call that came in                                    |
| hold       | call                          | send a re-INVITE with a=sendonly                              |
| resume     | call                          | send a re-INVITE with a=sendrecv                              |
| hangup     | call                          | CANCEL or BYE, whichever it is time for                       |
| statistics | call                          | say what RTP did so far                                       |
| quit       |                               | end                                                           |

Every command is answered by one event `reply` that carries its `number`. The other events: `ready` with the ports,
`incoming` with the INVITE, `state` and `media` of a call. An event is one line that starts with MARK: PJLIB writes
lines too.
"""

import argparse
import json
import os
import select
import sys
from typing import Any

import pjsua2 as pj

MARK = "@event "
POLL_MS = 10
WITH_DEFAULTS = True
"""An empty CallOpParam offers no media."""
CODECS = {"PCMA/8000": 255, "PCMU/8000": 254}
"""A short offer: an INVITE of more than 1300 bytes would not stay on UDP."""
STATES = {
    pj.PJSIP_INV_STATE_CALLING: "calling",
    pj.PJSIP_INV_STATE_INCOMING: "incoming",
    pj.PJSIP_INV_STATE_EARLY: "early",
    pj.PJSIP_INV_STATE_CONNECTING: "connecting",
    pj.PJSIP_INV_STATE_CONFIRMED: "confirmed",
    pj.PJSIP_INV_STATE_DISCONNECTED: "disconnected",
}
MEDIA = {
    pj.PJSUA_CALL_MEDIA_NONE: "none",
    pj.PJSUA_CALL_MEDIA_ACTIVE: "active",
    pj.PJSUA_CALL_MEDIA_LOCAL_HOLD: "local_hold",
    pj.PJSUA_CALL_MEDIA_REMOTE_HOLD: "remote_hold",
    pj.PJSUA_CALL_MEDIA_ERROR: "error",
}
TRANSPORTS = {
    "udp": pj.PJSIP_TRANSPORT_UDP,
    "tcp": pj.PJSIP_TRANSPORT_TCP,
    "tls": pj.PJSIP_TRANSPORT_TLS,
}
Command = dict[str, Any]


def emit(event: str, **fields: Any) -> None:
    """Write one event."""
    sys.stdout.write(f"{MARK}{json.dumps({'event': event, **fields})}\n")
    sys.stdout.flush()


class Call(pj.Call):
    """A call that tells what happens to it."""

    def onCallState(self, _: Any) -> None:  # noqa: N802 - a callback of pjsua2
        """Tell the new state."""
        info = self.getInfo()
        emit(
            "state",
            call=info.id,
            state=STATES.get(info.state, str(info.state)),
            code=info.lastStatusCode,
            reason=info.lastReason,
        )

    def onCallMediaState(self, _: Any) -> None:  # noqa: N802 - a callback of pjsua2
        """Let silence flow both ways as soon as there is a stream: it is RTP like any other."""
        info = self.getInfo()
        for at, media in enumerate(info.media):
            if media.type != pj.PJMEDIA_TYPE_AUDIO:
                continue
            if media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                manager = pj.Endpoint.instance().audDevManager()
                audio = self.getAudioMedia(at)
                manager.getCaptureDevMedia().startTransmit(audio)
                audio.startTransmit(manager.getPlaybackDevMedia())
            emit("media", call=info.id, status=MEDIA.get(media.status, str(media.status)))


class Account(pj.Account):
    """The user: it keeps every call, for a collected one could hang up another that has its number."""

    def __init__(self, calls: dict[int, Call]) -> None:
        """Share the table of calls."""
        super().__init__()
        self._calls = calls

    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802 - a callback of pjsua2
        """Keep the call and tell of it, with the INVITE as it came."""
        call = Call(self, prm.callId)
        info = call.getInfo()
        self._calls[info.id] = call
        emit("incoming", call=info.id, source=prm.rdata.srcAddress, message=prm.rdata.wholeMsg)


class Agent:
    """One endpoint, its account and its calls."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Start the endpoint on ports that the system chooses."""
        self._calls: dict[int, Call] = {}
        self._account: Account | None = None
        self._endpoint = endpoint(options.log)
        ports = {name: self._open(name, options) for name in TRANSPORTS}
        self._endpoint.libStart()
        emit("ready", version=self._endpoint.libVersion().full, ports=ports)

    def _open(self, name: str, options: argparse.Namespace) -> int:
        config = pj.TransportConfig()
        config.port = 0
        config.boundAddress = options.address
        if name == "tls":
            config.tlsConfig.CaListFile = options.authorities
            config.tlsConfig.certFile = options.certificate
            config.tlsConfig.privKeyFile = options.private_key
            config.tlsConfig.verifyServer = True
            config.tlsConfig.verifyClient = True
            config.tlsConfig.requireClientCert = True
        number = self._endpoint.transportCreate(TRANSPORTS[name], config)
        return int(self._endpoint.transportGetInfo(number).localName.rpartition(":")[2])

    def account(self, command: Command) -> None:
        """Become another user."""
        config = pj.AccountConfig()
        config.idUri = command["identity"]
        config.sipConfig.proxies = as_strings([command["route"]])
        config.natConfig.contactRewriteUse = 0
        config.natConfig.contactUseSrcPort = 0  # be reached where we listen, not only over the connection we opened
        config.natConfig.viaRewriteUse = False
        config.natConfig.sdpNatRewriteUse = False
        config.mediaConfig.transportConfig.port = 0
        config.mediaConfig.transportConfig.boundAddress = command["address"]
        if command["reliable"]:
            config.callConfig.prackUse = pj.PJSUA_100REL_MANDATORY
        # a hold that says so with an attribute, as RFC 6337 §5.3 asks, not with c=0.0.0.0
        config.callConfig.holdType = pj.PJSUA_CALL_HOLD_TYPE_RFC3264
        if self._account is not None:
            self._account.shutdown()
        self._calls.clear()
        self._account = Account(self._calls)
        self._account.create(config)

    def call(self, command: Command) -> dict[str, Any]:
        """Place a call."""
        call = Call(self._account)
        parameters = pj.CallOpParam(WITH_DEFAULTS)
        for name, value in command["headers"].items():
            header = pj.SipHeader()
            header.hName, header.hValue = name, value
            parameters.txOption.headers.append(header)
        call.makeCall(command["uri"], parameters)
        info = call.getInfo()
        self._calls[info.id] = call
        return {"call": info.id, "call_id": info.callIdString}

    def answer(self, command: Command) -> None:
        """Answer a call that came in."""
        parameters = pj.CallOpParam(WITH_DEFAULTS)
        parameters.statusCode = command["code"]
        self._calls[command["call"]].answer(parameters)

    def hold(self, command: Command) -> None:
        """Put the other side on hold."""
        self._calls[command["call"]].setHold(pj.CallOpParam(WITH_DEFAULTS))

    def resume(self, command: Command) -> None:
        """Take the other side back."""
        parameters = pj.CallOpParam(WITH_DEFAULTS)
        parameters.opt.flag |= pj.PJSUA_CALL_UNHOLD
        self._calls[command["call"]].reinvite(parameters)

    def hangup(self, command: Command) -> None:
        """End a call."""
        self._calls[command["call"]].hangup(pj.CallOpParam())

    def statistics(self, command: Command) -> dict[str, int]:
        """Count the packets of a call so far."""
        rtcp = self._calls[command["call"]].getStreamStat(0).rtcp
        return {"sent": rtcp.txStat.pkt, "received": rtcp.rxStat.pkt, "lost": rtcp.rxStat.loss}

    def serve(self) -> None:
        """Do what is asked until there is nobody to ask."""
        pending = b""
        while True:
            self._endpoint.libHandleEvents(POLL_MS)
            if not select.select([sys.stdin], [], [], 0)[0]:
                continue
            chunk = os.read(sys.stdin.fileno(), 65536)
            if not chunk:
                return
            *lines, pending = (pending + chunk).split(b"\n")
            for line in lines:
                command = json.loads(line)
                if command["do"] == "quit":
                    return
                self._obey(command)

    def _obey(self, command: Command) -> None:
        try:
            found = getattr(self, command["do"])(command) or {}
        except (pj.Error, KeyError) as error:
            text = error.info() if isinstance(error, pj.Error) else repr(error)
            emit("reply", number=command["number"], error=text)
        else:
            emit("reply", number=command["number"], **found)

    def close(self) -> None:
        """Let go of calls and account before the library goes."""
        self._calls.clear()
        if self._account is not None:
            self._account.shutdown()
        self._endpoint.libDestroy()


def endpoint(log: str) -> Any:
    """Create the endpoint: one thread, a null audio device, two codecs."""
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.logConfig.consoleLevel = 0
    config.logConfig.level = 5
    config.logConfig.filename = log
    config.medConfig.noVad = True  # silence is to be sent, not suppressed
    found = pj.Endpoint()
    found.libCreate()
    found.libInit(config)
    found.audDevManager().setNullDev()
    for codec in found.codecEnum2():
        name = codec.codecId.rpartition("/")[0]
        found.codecSetPriority(codec.codecId, CODECS.get(name, 0))
    return found


def as_strings(values: list[str]) -> Any:
    """Return the library's own kind of list."""
    found = pj.StringVector()
    for value in values:
        found.append(value)
    return found


def main() -> None:
    """Read the options and serve."""
    parser = argparse.ArgumentParser()
    for name in ("address", "log", "authorities", "certificate", "private-key"):
        parser.add_argument(f"--{name}", required=True)
    agent = Agent(parser.parse_args())
    try:
        agent.serve()
    finally:
        agent.close()


if __name__ == "__main__":
    main()
