package main

import (
	"context"
	"time"

	"github.com/godbus/dbus/v5"
)

// stopTime is how long the system may take to say whether it stops: it gives its
// programs little more before it kills them.
const stopTime = time.Second

// stopping tells whether the system is stopping now. It asks logind, through which
// people restart a computer, and systemd, which knows of every way. Where neither
// answers it is taken to stop: then nobody can tell, and what is kept serves once,
// for a quarter of an hour, and only after the person said yes again.
func stopping() bool {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	bus, err := dbus.ConnectSystemBus(dbus.WithContext(ctx))
	if err != nil {
		return true
	}
	defer bus.Close()
	ask := func(who string, path dbus.ObjectPath, property string) (value any, known bool) {
		var v dbus.Variant
		err := bus.Object(who, path).CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", dbus.FlagNoAutoStart,
			who+".Manager", property).Store(&v)
		return v.Value(), err == nil
	}
	prepares, known := ask("org.freedesktop.login1", "/org/freedesktop/login1", "PreparingForShutdown")
	state, also := ask("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "SystemState")
	return prepares == true || state == "stopping" || !known && !also
}
