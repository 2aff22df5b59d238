"""What the broker and the cloud answer to the messages of one connection, and what follows for their rows."""

from typing import Literal

import structlog

from cloud_sync.mqtt import Delivered
from cloud_sync.uplink.feed import Feed
from cloud_sync.uplink.flights import Flight, Flights
from cloud_sync.uplink.lasting import Lasting
from cloud_sync.wire import AckMessage, Box, Refusal

log = structlog.get_logger()

NO_SUBSCRIBERS = 0x10
REFUSED = 0x80
NEVER = 0x99
"""The one PUBACK reason that can never become better: payload format invalid. What is too large ends the connection."""


class Answers:
    """Lets rows leave, has them sent again, or has them laid aside."""

    def __init__(
        self, box: Box, flights: Flights, feed: Feed, lasting: Lasting, *, confirm: Literal["cloud", "broker"]
    ) -> None:
        """Begin with a connection.

        Args:
            box: Whose topics are complained of.
            flights: What is answered.
            feed: Sends again.
            lasting: Learns from it.
            confirm: Whose word lets rows leave the outbox.
        """
        self._box = box
        self._flights = flights
        self._feed = feed
        self._last = lasting
        self._confirm = confirm

    def of_broker(self, event: Delivered, now_s: float) -> None:
        """Take a PUBACK."""
        flight = self._flights.delivered(event.mid, now_s, good=event.code < REFUSED)
        if flight is None:
            return
        self._note_complaint(flight, event)
        refused = self._refuses(event)
        if refused:
            self._last.parking.refused(flight.channel, now_s)
        else:  # also where the cloud answered first, or this one is refused for good: the others wait for this answer
            self._last.parking.accepted(flight.channel)
        if not flight.awaits_cloud:
            return
        if event.code == NEVER:
            self._reject(flight, event.text)
        elif refused:
            self._flights.forget(flight)
            self._feed.again(flight.channel, flight.first, flight.last)
        elif self._confirm == "broker" and event.code == 0:
            self._flights.confirm_one(flight)
            self._last.confirmations += 1
            self._last.settler.confirm(0, [(flight.first, flight.last)])

    def of_cloud(self, ack: AckMessage) -> None:
        """Take an ack that is for us, and can be true."""
        before, silences = self._flights.unconfirmed, self._last.pace.silences
        self._flights.confirm(ack.through, list(ack.ranges))
        for refusal in ack.refused:
            self._on_refusal(refusal, ack)
        if silences and not self._last.pace.silences:
            log.info("cloud_answers_again", silences=silences)
        self._last.confirmations += before - self._flights.unconfirmed
        covered = [(1, ack.through), *ack.ranges] if ack.through else ack.ranges
        self._last.settler.confirm(0, self._last.sent.take(covered))

    def _refuses(self, event: Delivered) -> bool:
        """Tell whether the broker does not take this now, and may later."""
        if event.code == NO_SUBSCRIBERS:
            return self._confirm == "broker"
        return event.code >= REFUSED and event.code != NEVER

    def _reject(self, flight: Flight, why: str) -> None:
        """Lay one entry aside that the broker will never take; of several, find out which."""
        if flight.first == flight.last:
            self._last.settler.quarantine(flight.first, f"the broker refuses it for good: {why}")
        else:
            self._halve(flight)

    def _halve(self, flight: Flight) -> None:
        """Send a joined message again as two."""
        middle = (flight.first + flight.last) // 2
        self._feed.again(flight.channel, flight.first, middle)
        self._feed.again(flight.channel, middle + 1, flight.last)

    def _note_complaint(self, flight: Flight, event: Delivered) -> None:
        nobody = event.code == NO_SUBSCRIBERS and flight.first > 0
        if nobody and self._confirm == "cloud":
            self._last.pace.nobody()
        elif not nobody and event.code < REFUSED:
            self._last.complaints.pop(flight.channel, None)
            return
        topic = self._box.topic(flight.channel)
        complaint = f"nobody is subscribed to {topic} yet" if nobody else f"the broker refuses {topic}: {event.text}"
        if self._last.complaints.get(flight.channel) != complaint:
            log.warning("broker_complains", detail=complaint)
            self._last.complaints[flight.channel] = complaint

    def _on_refusal(self, refusal: Refusal, ack: AckMessage) -> None:
        """Lay one entry aside that the cloud will never store; of several, find out which.

        Word of a joined message counts once, and only while that very message waits for it: an old one that comes again
        would split what is on its way in other parts. Word of a single entry is true whenever it comes.
        """
        first, last, why = refusal
        if first == last and (ack.holds(first, last) or not self._last.settler.takes_more()):
            return  # safe in another message; or too many at once: it is sent, and refused, again
        flight = self._flights.refuse(first, last)
        if first == last:
            self._last.settler.quarantine(first, f"the cloud refuses it for good: {why}")
        elif flight is not None:
            self._halve(flight)
